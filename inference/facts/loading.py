"""How long it takes from a wish for a server to its first answer: measured where somebody did, assumed elsewhere.

Measurements differ by machine, region and hour; every figure is a typical one, to plan with and not to promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "ENGINES",
    "IMAGES",
    "IMAGE_STREAMING_SECONDS",
    "NODES",
    "PRELOADED_SPEEDUP",
    "PROBE_MARGIN",
    "PULL_BYTES_PER_SECOND",
    "STORES",
    "STREAMED_REGISTRIES",
    "Engine",
    "Image",
    "NodeStart",
    "Store",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where weights are read from; figures of every record have a source, or say that they are assumed."""

    name: str
    """As a sentence says it."""
    bytes_per_second: float
    """Of one node."""
    divided: bool
    """Whether a node of several reads its own part only."""
    source: str = ""
    assumed: str = ""
    """What no source says."""


STORES: Mapping[str, Store] = MappingProxyType(
    {
        "hub": Store(
            name="the Hugging Face Hub",
            bytes_per_second=200e6,
            divided=False,
            source="LLMDT4:some 5 GB in 2 to 3 minutes; KAITO2325:51.75 GiB in 62 s, loading included, on an A100 node",
            assumed="between the two, which are far apart",
        ),
        "bucket": Store(
            name="a bucket through Cloud Storage FUSE with parallel downloads",
            bytes_per_second=1_000e6,
            divided=True,
            assumed="reaches more on a large node with local SSDs, less on a small one",
        ),
        "bucket-plain": Store(
            name="a bucket through Cloud Storage FUSE without a file cache",
            bytes_per_second=250e6,
            divided=True,
            source="GCSFUSE:parallel downloads load models up to nine times faster",
            assumed="a quarter of them",
        ),
        "streamer": Store(
            name="a bucket through the Run:ai streamer",
            bytes_per_second=2_000e6,
            divided=True,
            source="RUNAIBENCH:15 GB in 7.5 s from a fast network disk; LLMDPR2489:2 GB/s from Cloud Storage",
            assumed="weights come as fast from a bucket as the snapshot of a pod did, on an H100 node",
        ),
        "hyperdisk-ml": Store(
            name="a Hyperdisk ML volume",
            bytes_per_second=2_400 * 2**20,
            divided=True,
            source="GKESAMPLES:provisioned with 2400 MiB/s, which all readers share",
            assumed="one reader at a time",
        ),
        "disk": Store(
            name="a Persistent Disk or Hyperdisk volume",
            bytes_per_second=240e6,
            divided=True,
            assumed="a balanced disk of some 900 GiB",
        ),
        "local-ssd": Store(
            name="local SSDs",
            bytes_per_second=2_000e6,
            divided=True,
            source="RUNAIBENCH:15 GB in 7.5 s from a fast network disk",
            assumed="local SSDs are as fast as that disk",
        ),
    }
)
"""Stores by name; what is not here has no known speed."""

PULL_BYTES_PER_SECOND = 50e6
"""Download and unpacking of an image (source KAITO2325: 5.60 GB in 101 s on an A100 node)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image of a server."""

    bytes: float
    source: str = ""
    assumed: str = ""
    """What no source says."""


IMAGES: Mapping[str, Image] = MappingProxyType(
    {
        "vllm": Image(
            bytes=10.7e9,
            source="LLMDPR1902:pulled in 214 s on an L4 node",
            assumed="at the speed above: its size was not read",
        ),
        "nim": Image(bytes=10.7e9, assumed="like the vLLM that is in it"),
        "sglang": Image(bytes=10.7e9, assumed="like vLLM's"),
    }
)
"""Images by engine, compressed, bytes."""

IMAGE_STREAMING_SECONDS = 4
"""Until the container starts with image streaming; what it then reads comes over the network (source LLMDPR1902)."""

STREAMED_REGISTRIES = (".pkg.dev", "docker.io")
"""Ends of the hosts whose images can be streamed: Artifact Registry, and what is public on Docker Hub (source
IMAGESTREAMING)."""

PRELOADED_SPEEDUP = 29
"""How much faster, at most, a 16 GB image is there from a secondary boot disk (source GKELOADBLOG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """From the weights in memory to the first answer."""

    seconds: int
    floor_seconds: int
    """Never let a probe allow less."""
    source: str = ""
    assumed: str = ""
    """What no source says."""


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "one": Engine(
            seconds=200,
            floor_seconds=600,
            source="LLMDPR1902:195 s for 8B on an L4 with the load; KAITO2325:290 s for 27B on an A100 without",
        ),
        "group": Engine(
            seconds=300,
            floor_seconds=1800,
            assumed="several nodes, or more than 100 billion parameters, meet and capture in step",
        ),
        "tpu": Engine(
            seconds=720,
            floor_seconds=1800,
            assumed="XLA compiles for so long at the first start; no measurement was read",
        ),
    }
)
"""Imports, memory profiling, compilation and graph capture, by kind of server."""

PROBE_MARGIN = 2.0
"""Probes allow so many times the estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStart:
    """From the wish for a node to pods on it; ``None`` where nobody can tell."""

    seconds: int | None
    why: str
    """What it contains, or why it cannot be told."""
    source: str = ""
    assumed: str = ""
    """What no source says."""


NODES: Mapping[str, NodeStart] = MappingProxyType(
    {
        "gpu": NodeStart(
            seconds=410,
            why="the machine boots, joins, and gets its driver, if there is capacity at once",
            source="KAITO2325:284 s and 126 s, at another cloud; CODALAB4042:270 s and 270 s on GKE in 2022",
            assumed="GKE is as fast today as the other cloud",
        ),
        "tpu": NodeStart(
            seconds=410, why="the machine boots and joins, if there is capacity at once", assumed="as for GPUs"
        ),
        "waiting": NodeStart(
            seconds=None, why="flex-start and queued nodes come when there is capacity, for which nobody vouches",
            source="GKEDWS",
        ),
    }
)  # fmt: skip
"""New nodes by kind; those that stand already take no time."""
