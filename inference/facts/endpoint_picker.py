"""The endpoint picker of the inference gateway: its plugins and their state, ports, configuration and labels.

Everything is of llm-d-router v0.10.0 (source LLMDR) unless stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = [
    "BODY_ROUTER_PORTS",
    "CONFIG_API_VERSION",
    "CONFIG_FIELDS",
    "CONFIG_KIND",
    "DEPRECATED_CONFIG_API_VERSION",
    "EXPERIMENTAL_FLAG",
    "FAILURE_MODES",
    "MODEL_HEADER",
    "PLUGINS",
    "POOL_API",
    "POOL_GROUP",
    "POOL_GROUP_DEPRECATED",
    "POOL_TARGET_PORTS_MAX",
    "PORTS",
    "RENDER_PORT",
    "RENDER_REQUESTS",
    "ROLE_LABEL",
    "SIDECAR_ENGINE_PORT",
    "Plugin",
    "plugins_of",
]

Role = Literal[
    "handler", "decider", "filter", "scorer", "picker", "producer", "data", "admission", "flow", "request", "parser"
]
State = Literal["beta", "alpha", "deprecated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin type that a configuration may name."""

    name: str
    role: Role
    state: State
    """Alpha ones are refused without EXPERIMENTAL_FLAG."""
    replaced_by: str | None = None
    source: str = "LLMDR:cmd/epp/runner/runner.go"


_ROWS: tuple[tuple[Role, State, str], ...] = (
    ("handler", "beta", "single-profile-handler disagg-profile-handler data-parallel-profile-handler"),
    ("handler", "alpha", "header-profile-handler"),
    ("handler", "deprecated", "pd-profile-handler disagg-headers-handler prefill-header-handler"),
    ("decider", "beta", "prefix-based-pd-decider always-disagg-pd-decider always-disagg-multimodal-decider"),
    (
        "filter",
        "beta",
        (
            "label-selector-filter decode-filter prefill-filter encode-filter prefix-cache-affinity-filter"
            " slo-headroom-tier-filter header-based-testing-filter"
        ),
    ),
    (
        "filter",
        "alpha",
        (
            "session-affinity-filter endpoint-attribute-filter topology-affinity-filter utilization-filter"
            " multicluster-session-affinity-filter"
        ),
    ),
    ("filter", "deprecated", "by-label by-label-selector"),
    (
        "scorer",
        "beta",
        (
            "queue-scorer kv-cache-utilization-scorer running-requests-size-scorer lora-affinity-scorer"
            " prefix-cache-scorer precise-prefix-cache-scorer token-load-scorer no-hit-lru-scorer"
            " active-request-scorer load-aware-scorer context-length-aware mm-embeddings-cache-scorer"
            " latency-scorer"
        ),
    ),
    (
        "scorer",
        "alpha",
        (
            "session-affinity-scorer header-label-affinity-scorer endpoint-attribute-scorer"
            " topology-affinity-scorer multicluster-queue-scorer multicluster-kv-cache-utilization-scorer"
            " multicluster-prefix-cache-scorer"
        ),
    ),
    ("picker", "beta", "max-score-picker random-picker weighted-random-picker"),
    (
        "producer",
        "beta",
        (
            "approx-prefix-cache-producer precise-prefix-cache-producer token-producer inflight-load-producer"
            " predicted-latency-producer session-id-producer mm-embeddings-cache-producer"
        ),
    ),
    (
        "producer",
        "alpha",
        ("burst-prefix-cache-producer p2p-source-producer multicluster-approx-prefix-cache-producer"),
    ),
    ("producer", "deprecated", "tokenizer"),
    (
        "data",
        "beta",
        (
            "metrics-data-source core-metrics-extractor models-data-source models-data-extractor"
            " endpoint-notification-source k8s-notification-source file-discovery"
        ),
    ),
    (
        "data",
        "alpha",
        (
            "dcgm-data-source dcgm-extractor topology-extractor multicluster-metrics-data-source"
            " multicluster-metrics-extractor multicluster-file-discovery"
        ),
    ),
    ("admission", "beta", "probabilistic-admitter latency-slo-admitter"),
    (
        "flow",
        "beta",
        (
            "utilization-detector concurrency-detector global-strict-fairness-policy round-robin-fairness-policy"
            " program-aware-fairness fcfs-ordering-policy edf-ordering-policy slo-deadline-ordering-policy"
            " static-usage-limit-policy"
        ),
    ),
    (
        "flow",
        "alpha",
        (
            "priority-holdback-policy soft-reflective-ceiling-policy sheddable-eviction-filter"
            " priority-then-time-eviction-order-policy"
        ),
    ),
    ("request", "beta", "request-attribute-reporter destination-endpoint-served-verifier"),
    ("request", "alpha", "disaggregatedset-rollout-screener agent-identity"),
    (
        "parser",
        "beta",
        ("openai-parser anthropic-parser vllmhttp-parser vllmgrpc-parser vertexai-parser passthrough-parser"),
    ),
)

_REPLACED_BY = {
    "pd-profile-handler": "disagg-profile-handler",
    "disagg-headers-handler": "disagg-profile-handler",
    "prefill-header-handler": "disagg-profile-handler",
    "by-label": "label-selector-filter",
    "by-label-selector": "label-selector-filter",
    "tokenizer": "token-producer",
    "precise-prefix-cache-scorer": "precise-prefix-cache-producer with prefix-cache-scorer",
    "data-parallel-profile-handler": "several targetPorts of the pool",
}

PLUGINS: Mapping[str, Plugin] = MappingProxyType(
    {
        name: Plugin(name=name, role=role, state=state, replaced_by=_REPLACED_BY.get(name))
        for role, state, names in _ROWS
        for name in names.split()
    }
)
"""Every plugin type by its name. Unknown types and unknown parameters stop the picker at start."""


def plugins_of(role: Role, state: State | None = None) -> tuple[str, ...]:
    """List the plugins of a role, all of them or those in one state."""
    return tuple(p.name for p in PLUGINS.values() if p.role == role and (state is None or p.state == state))


CONFIG_API_VERSION = "llm-d.ai/v1alpha1"
DEPRECATED_CONFIG_API_VERSION = "inference.networking.x-k8s.io/v1alpha1"
CONFIG_KIND = "EndpointPickerConfig"
"""Of the configuration file; the old apiVersion is still read."""

CONFIG_FIELDS = frozenset(
    {
        "apiVersion",
        "kind",
        "featureGates",
        "plugins",
        "schedulingProfiles",
        "dataLayer",
        "flowControl",
        "requestHandler",
        "saturationDetector",
        "parser",
    }
)
"""Top-level fields; decoding is strict. The last two are deprecated."""

EXPERIMENTAL_FLAG = "--allow-experimental-plugins"
"""Picker option without which alpha plugins are refused."""

PORTS: Mapping[str, int] = MappingProxyType({"ext_proc": 9002, "grpc_health": 9003, "metrics": 9090})
"""The picker's ports: gRPC for the balancer's calls, gRPC for health, HTTP for metrics."""

RENDER_PORT = 8000
RENDER_REQUESTS = MappingProxyType({"cpu": 4, "memory_gib": 8})
"""The tokenizer beside a picker that follows cache events: ``vllm launch render`` without weights or GPU, and what the
router's chart requests for it."""

SIDECAR_ENGINE_PORT = 8200
"""Where the engine of a decode pod listens behind the routing sidecar, which takes the server's own port."""

MODEL_HEADER = "X-Gateway-Model-Name"
BODY_ROUTER_PORTS: Mapping[str, int] = MappingProxyType({"ext_proc": 9004, "grpc_health": 9005, "metrics": 9090})
"""The body-based router: the header that it copies the body's ``model`` into, and its ports (source
GAIE15:pkg/bbr/server/options.go)."""

POOL_GROUP = "inference.networking.k8s.io"
POOL_GROUP_DEPRECATED = "inference.networking.x-k8s.io"
POOL_API = f"{POOL_GROUP}/v1"
POOL_TARGET_PORTS_MAX = 8
FAILURE_MODES = ("FailOpen", "FailClose")
"""InferencePool: its group since GAIE v1.0.0 and the one before, unique target ports, failure modes of its picker
reference, of which FailClose is the default (sources GAIE, GAIE1530)."""

ROLE_LABEL = "llm-d.ai/role"
"""Pod label by which the role filters choose."""
