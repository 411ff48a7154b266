"""What the engine listens on, answers, exports, accepts and has stopped accepting. Source VLLM unless stated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from inference.facts._data import read

__all__ = [
    "ALIASES",
    "ALL2ALL_BACKEND",
    "API_KEY_ENV",
    "CREDENTIAL_ENV",
    "CUDA_COMPATIBILITY_ENV",
    "DEPRECATED_KV_ROLES",
    "FLAGS",
    "FLAG_SINCE",
    "GLOO_INTERFACE_ENV",
    "GPU_MEMORY_UTILIZATION",
    "GUARDED_PREFIX",
    "HEALTH_PATH",
    "HTTP_PORT",
    "HUB_TOKEN_ENV",
    "KV_CACHE_METRIC",
    "KV_EVENTS_PORT",
    "KV_ROLES",
    "METRICS",
    "METRICS_PATH",
    "MIN_COMPUTE_CAPABILITY",
    "NCCL_PLUGINS_OFF_ENV",
    "NIXL_CONNECTOR",
    "NIXL_SIDE_CHANNEL_HOST_ENV",
    "NIXL_SIDE_CHANNEL_PORT",
    "PING_PATH",
    "RAY_BUNDLED_BEFORE",
    "READY_TIMEOUT_ENV",
    "REMOVED",
    "RENAMED_METRICS",
    "RENAMED_METRICS_GONE",
    "RUNTIME",
    "UCX_ROCE_ENV",
    "VERSION",
    "Runtime",
    "canonical_flag",
    "is_flag",
]

VERSION = "0.32"
"""The version that the facts of this module describe."""

FLAGS: frozenset[str]
"""Every option of ``vllm serve``, without the ``--no-`` forms. Read at first use."""


@cache
def _flags() -> frozenset[str]:
    return frozenset(line for line in read("vllm_flags.txt").splitlines() if line.startswith("--"))


def __getattr__(name: str) -> frozenset[str]:
    if name == "FLAGS":
        return _flags()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "-h": "--help",
        "-v": "--version",
        "-tp": "--tensor-parallel-size",
        "-pp": "--pipeline-parallel-size",
        "-dp": "--data-parallel-size",
        "-dpn": "--data-parallel-rank",
        "-dpr": "--data-parallel-start-rank",
        "-dpl": "--data-parallel-size-local",
        "-dpa": "--data-parallel-address",
        "-dpp": "--data-parallel-rpc-port",
        "-dpb": "--data-parallel-backend",
        "-dph": "--data-parallel-hybrid-lb",
        "-dpe": "--data-parallel-external-lb",
        "-dpm": "--data-parallel-multi-port-external-lb",
        "-dcp": "--decode-context-parallel-size",
        "-pcp": "--prefill-context-parallel-size",
        "-ep": "--enable-expert-parallel",
        "-n": "--nnodes",
        "-r": "--node-rank",
        "-q": "--quantization",
        "-cc": "--compilation-config",
        "-ac": "--attention-config",
        "-sc": "--speculative-config",
        "-O": "--optimization-level",
        "-asc": "--api-server-count",
    }
)
"""Short names of options (source VLLM:vllm/engine/arg_utils.py, copies of 0.10 to 0.30 in public repositories)."""

_OPTIMIZATION = re.compile(r"-O[0-9]+")


def canonical_flag(name: str) -> str | None:
    """Return the option that a word of a command line means, in its long form with dashes; None if it is none.

    Understands ``--flag=value``, underscores, short names, ``--no-flag``, ``--config.key`` and ``-O3``.
    Abbreviations are not recognized: an option has to be written out.
    """
    word = name.partition("=")[0]
    if _OPTIMIZATION.fullmatch(word):
        return ALIASES["-O"]
    word = word.partition(".")[0]
    if word in ALIASES:
        return ALIASES[word]
    if not word.startswith("--"):
        return None
    word = word.replace("_", "-")
    if word in _flags():
        return word
    # Which options are booleans is not in the list, so every one may be negated.
    positive = f"--{word.removeprefix('--no-')}"
    return positive if word.startswith("--no-") and positive in _flags() else None


def is_flag(name: str) -> bool:
    """Tell whether vLLM 0.32 knows an option, in any spelling that ``canonical_flag`` understands."""
    return canonical_flag(name) is not None


REMOVED: Mapping[str, str] = MappingProxyType(
    {
        "--disable-log-requests": "0.12.0",
        "--num-scheduler-steps": "0.12.0",
        "--use-v2-block-manager": "0.12.0",
        "--worker-use-ray": "0.12.0",
        "--enable-reasoning": "0.10.0",
    }
)
"""Option to a version from which it is certainly gone; it may have gone earlier (source OPS010, VLLM)."""

FLAG_SINCE: Mapping[str, str] = MappingProxyType(
    {"--disable-access-log-for-endpoints": "0.16.0", "--shutdown-timeout": "0.18.0"}
)
"""Option to the version that brought it (source KSERVE:config/llmisvcconfig)."""

RAY_BUNDLED_BEFORE = "0.19"
"""From this version on the image has no Ray, so several nodes need ``--nnodes`` (https://github.com/kubernetes-sigs/lws
issue 835; source LWS)."""

GPU_MEMORY_UTILIZATION = 0.92
"""Default share of a GPU's memory that the engine takes (source VLLM:vllm/config/cache.py)."""

HTTP_PORT = 8000
NIXL_SIDE_CHANNEL_PORT = 5600
KV_EVENTS_PORT = 5557
"""Default ports: server, NIXL handshake (plus the data-parallel rank), and KV events."""

HEALTH_PATH = "/health"
PING_PATH = "/ping"
METRICS_PATH = "/metrics"
GUARDED_PREFIX = "/v1"
"""HTTP paths: health answers 200, or 503 when the engine is dead, and so does ping, which the routing sidecar passes on
while it answers health itself (source LLMDR:pkg/sidecar/proxy); an API key guards only what lies under ``/v1``.

Of several nodes only rank 0 answers; a headless one has no HTTP port at all.
"""

READY_TIMEOUT_ENV = "VLLM_ENGINE_READY_TIMEOUT_S"
"""Variable: how long the server waits for its engine at start, in seconds; 600 where it is not set."""

HUB_TOKEN_ENV = "HF_TOKEN"  # noqa: S105 - the name of a variable
API_KEY_ENV = "VLLM_API_KEY"
CREDENTIAL_ENV = frozenset({HUB_TOKEN_ENV, "HUGGING_FACE_HUB_TOKEN", API_KEY_ENV, "NGC_API_KEY"})
"""Variables that hold credentials, and must come from a Secret."""

NIXL_SIDE_CHANNEL_HOST_ENV = "VLLM_NIXL_SIDE_CHANNEL_HOST"
GLOO_INTERFACE_ENV = "GLOO_SOCKET_IFNAME"
CUDA_COMPATIBILITY_ENV = "VLLM_ENABLE_CUDA_COMPATIBILITY"
"""Variables: the pod's own address for NIXL (default localhost), the interface of multi-node rendezvous (``eth0``
advised), and ``1`` to run the CUDA 13 image on R535 and R570 drivers."""

MIN_COMPUTE_CAPABILITY = (7, 5)
"""The oldest GPUs that the image has kernels for: CUDA 13 builds none below (source VLLM:docker/Dockerfile)."""

ALL2ALL_BACKEND = "allgather_reducescatter"
"""How the ranks of expert parallelism exchange tokens: through NCCL, hence through gIB. The DeepEP kernels start RDMA
transfers on the GPU, which on GKE takes a privileged container (sources VLLM:docs/serving, LLMDWIDE)."""

NIXL_CONNECTOR = "NixlConnector"
"""Moves KV caches from prefill to decode servers. Its decode side refuses pipeline stages and, but for latent
attention, prefill servers with more tensor-parallel ranks than its own (sources LLMDPD,
VLLM:vllm/distributed/kv_transfer)."""

UCX_ROCE_ENV = ("UCX_IB_ROCE_REACHABILITY_MODE", "all")
"""Variable and value that let NIXL's transport use RoCE NICs of different subnets, as GKE's are (source LLMDPD)."""

NCCL_PLUGINS_OFF_ENV = ("NCCL_TUNER_PLUGIN", "NCCL_NET_PLUGIN")
"""Variables that, set to ``none``, keep NCCL to NVLink: on nodes with gIB the tuner of the plugin otherwise fails to
load in pods that do not mount it (sources LLMDPR1282, LLMDWIDE)."""

KV_ROLES = ("kv_producer", "kv_consumer", "kv_both")
DEPRECATED_KV_ROLES: Mapping[str, frozenset[str]] = MappingProxyType({"NixlConnector": frozenset({"kv_both"})})
"""Values of ``kv_role``, and those deprecated for a connector: prefill produces, decode consumes."""

KV_CACHE_METRIC = "vllm:kv_cache_usage_perc"
METRICS = frozenset(
    {
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        KV_CACHE_METRIC,
        "vllm:prefix_cache_queries",
        "vllm:prefix_cache_hits",
        "vllm:num_preemptions",
        "vllm:prompt_tokens",
        "vllm:generation_tokens",
        "vllm:time_to_first_token_seconds",
        "vllm:inter_token_latency_seconds",
        "vllm:request_time_per_output_token_seconds",
        "vllm:e2e_request_latency_seconds",
        "vllm:request_queue_time_seconds",
        "vllm:request_prefill_time_seconds",
        "vllm:request_decode_time_seconds",
        "vllm:request_success",
        "vllm:cache_config_info",
        "vllm:lora_requests_info",
    }
)
"""The core metrics by the name in the source; Prometheus adds ``_total`` to counters."""

RENAMED_METRICS: Mapping[str, str] = MappingProxyType({"vllm:gpu_cache_usage_perc": KV_CACHE_METRIC})
"""Metrics that are gone to what took their place (source GAIEPR1905)."""

RENAMED_METRICS_GONE = (0, 13, 0)
"""The first release of vLLM that exports the new names only (source GAIEPR1905)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The libraries in an engine image, which have to agree with the node's driver and NCCL plugin."""

    cuda: str
    torch: str
    nccl: str
    nixl: str
    driver_min: int
    """Branch of the NVIDIA driver, such as 580 for R580."""
    gib_min: str
    """Oldest gIB that pairs with this NCCL; derived from gIB's release notes."""
    source: str


RUNTIME = Runtime(
    cuda="13.0",
    torch="2.14.0",
    nccl="2.30.7",
    nixl="1.5.0",
    driver_min=580,
    gib_min="v1.1.2",
    source="VLLM:docker/Dockerfile; GIBX86",
)
"""What the default image of vLLM 0.32 is built on; the ``-cu129`` images have CUDA 12.9 and run on older drivers."""
