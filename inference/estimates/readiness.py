"""How long every model of a program takes to be ready: a node, the image, the weights, the engine.

An estimate for one replica that starts on a new node. Every phase says what it assumes; one that nobody can tell has
no figure, and the whole is then at least the sum of the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.estimates.fits import known_model, serves
from inference.facts import gke
from inference.facts.loading import (
    ENGINES,
    IMAGE_STREAMING_SECONDS,
    IMAGES,
    NODES,
    PRELOADED_SPEEDUP,
    PULL_BYTES_PER_SECOND,
    STORES,
    STREAMED_REGISTRIES,
    Engine,
    Image,
    NodeStart,
    Store,
)
from inference.facts.models import Model
from inference.facts.sources import where
from inference.rules.views.fleet import Site
from inference.rules.views.images import registry_of
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import own_accelerator, sites_of
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props
from inference.rules.views.volumes import Volume, volumes_of
from inference.startup import engine_kind, read_seconds

__all__ = ["PHASES", "Phase", "Readiness", "readiness"]

PHASES = ("node", "image", "weights", "engine")

_REMOTE = ("gs://", "s3://")


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of the way."""

    name: str
    """One of ``PHASES``."""
    seconds: int | None
    """``None`` where nobody can tell."""
    why: str
    """What it assumes, or why it is unknown."""
    source: str = ""
    """Where the figure comes from, as something to open, or that it is assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How long one server takes until it answers."""

    server: ModelServer
    known: Model | None
    phases: tuple[Phase, ...]
    store: str | None
    """Where the weights are read from, a name in ``STORES``; ``None`` where it is not known."""
    allowed: int | None
    """Seconds that the startup probe allows; ``None`` without one, or where it is not known."""

    @property
    def key(self) -> str:
        """What tells the server from all others of a program, across revisions."""
        return f"{self.server.pod.object.resource.urn} {self.server.pod.role} {self.server.container.name}".strip()

    @property
    def complete(self) -> bool:
        """Whether every phase is known."""
        return all(phase.seconds is not None for phase in self.phases)

    @property
    def seconds(self) -> int:
        """The sum of the phases that are known."""
        return sum(phase.seconds or 0 for phase in self.phases)

    @property
    def load_seconds(self) -> int:
        """From the start of the container on: what probes have to wait for."""
        return sum(phase.seconds or 0 for phase in self.phases if phase.name in ("weights", "engine"))

    @property
    def impatient(self) -> bool:
        """Whether the startup probe gives up before the estimate is over."""
        return self.allowed is not None and self.allowed < self.load_seconds

    def phase(self, name: str) -> Phase:
        """Return one phase by its name."""
        return next(phase for phase in self.phases if phase.name == name)


def readiness(stack: Stack) -> tuple[Readiness, ...]:
    """Return the time to ready of every model server."""
    return stack.view(_readiness)


def _readiness(stack: Stack) -> tuple[Readiness, ...]:
    return tuple(_of(stack, server) for server in stack.each(ModelServer) if serves(server))


def _of(stack: Stack, server: ModelServer) -> Readiness:
    known, sites = known_model(server), sites_of(stack, server.pod)
    accelerator = own_accelerator(server.pod)
    tpu = any(site.accelerator == gke.TPU_RESOURCE for site in sites)
    tpu = tpu or (accelerator is not None and accelerator.gpu is None)
    store = _store(stack, server)
    nodes = server.pod.size or server.nodes or 1
    phases = (
        _node(sites, tpu=tpu),
        _image(server, sites),
        _weights(known, store, nodes),
        _engine(known, nodes, tpu=tpu),
    )
    allowed = _allowed_seconds(server.container.props.section("startupProbe"))
    return Readiness(server=server, known=known, phases=phases, store=store, allowed=allowed)


def _allowed_seconds(probe: Props) -> int | None:
    """Return the seconds until a startup probe has failed for good; ``None`` without one, or where not known."""
    values = []
    for name, default in (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3)):
        value = default if probe.absent(name) else probe.integer(name)
        if value is None:
            return None
        values.append(value)
    delay, every, times = values
    return delay + every * times if probe else None


def _source(figure: Store | Image | Engine | NodeStart) -> str:
    """Say where a figure comes from."""
    parts = [where(figure.source)] if figure.source else []
    parts += [f"assumed: {figure.assumed}"] if figure.assumed else []
    return "; ".join(parts)


# ------------------------------------------------------------------ node and image


def _node(sites: tuple[Site, ...], *, tpu: bool) -> Phase:
    if not sites:
        return Phase("node", None, "it is not known on which node pool it runs")
    waiting = [site for site in sites if site.pool.flex_start or site.pool.queued]
    start = NODES["waiting" if waiting else "tpu" if tpu else "gpu"]
    return Phase("node", start.seconds, start.why, _source(start))


def _image(server: ModelServer, sites: tuple[Site, ...]) -> Phase:
    image = IMAGES.get(server.engine)
    if image is None:
        return Phase("image", None, f"the size of an image of {server.engine} is not known")
    seconds = math.ceil(image.bytes / PULL_BYTES_PER_SECOND)
    told = f"an image of {image.bytes / 1e9:.1f} GB at {PULL_BYTES_PER_SECOND / 1e6:.0f} MB/s"
    if sites and all(_preloaded(site) for site in sites):
        quicker = math.ceil(seconds / PRELOADED_SPEEDUP)
        why = f"{told}, {PRELOADED_SPEEDUP} times faster from the secondary boot disk, if that holds it"
        return Phase("image", quicker, why, where("GKELOADBLOG"))
    if sites and all(_streamed(site) for site in sites):
        registry = registry_of(server.container.image) if server.container.image else "a registry that is not known"
        if registry.endswith(STREAMED_REGISTRIES):
            why = "streamed while the server already runs"
            return Phase("image", IMAGE_STREAMING_SECONDS, why, where("LLMDPR1902"))
        told += f"; GKE is not known to stream images from {registry}"
    return Phase("image", seconds, told, _source(image))


def _preloaded(site: Site) -> bool:
    disks = site.pool.config.sections("secondaryBootDisks")
    return any(disk.text("mode") == "CONTAINER_IMAGE_CACHE" for disk in disks)


def _streamed(site: Site) -> bool:
    if not site.pool.config.absent("gcfsConfig", "enabled"):
        return site.pool.config.flag("gcfsConfig", "enabled") is True
    place = ("nodePoolDefaults", "nodeConfigDefaults", "gcfsConfig", "enabled")
    return site.cluster is not None and site.cluster.props.flag(*place) is True


# ------------------------------------------------------------------ weights


def _weights(known: Model | None, store: str | None, nodes: int) -> Phase:
    if store is None:
        return Phase("weights", None, "it is not known where the weights are read from")
    found = STORES[store]
    if known is None or known.weight_bytes is None:
        return Phase("weights", None, f"the size of the weights is not known; they come from {found.name}")
    seconds = read_seconds(known.weight_bytes, store, nodes)
    size = f"{known.weight_bytes / 1e9:.0f} GB" if known.weight_bytes >= 10e9 else f"{known.weight_bytes / 1e9:.1f} GB"
    each = f", each of {nodes} nodes its part" if nodes > 1 and found.divided else ""
    why = f"{size} from {found.name} at {found.bytes_per_second / 1e6:,.0f} MB/s{each}"
    return Phase("weights", seconds, why, _source(found))


def _store(stack: Stack, server: ModelServer) -> str | None:
    """Return where a server reads its weights from."""
    streams = (server.options.option("load-format") or "").startswith("runai_streamer")
    model = server.model
    if server.engine == "nim":
        return "hub"
    if model is None:
        return None
    if model.startswith(_REMOTE):
        return "streamer"
    if not model.startswith("/"):
        return "hub" if "://" not in model else None
    volume = _volume(stack, server, model)
    if volume is None:
        return "local-ssd" if _scratch(server, model) else None
    if volume.driver == gke.GCSFUSE_DRIVER:
        if streams:
            return "streamer"
        cached = volume.cache_bytes is not None or "parallel-download" in volume.options
        return "bucket" if cached else "bucket-plain"
    return _disk(volume)


def _disk(volume: Volume) -> str | None:
    if volume.driver != gke.CSI_DRIVERS["persistent-disk"]:
        return None
    parameters: Mapping[str, str] = {}
    if volume.storage_class is not None:
        parameters = volume.storage_class.props.strings("parameters")
    return "hyperdisk-ml" if parameters.get("type") == "hyperdisk-ml" else "disk"


def _mounted(server: ModelServer, path: str) -> str | None:
    """Return the name of the volume under a path: the one mounted deepest."""
    mounts = [
        (place.rstrip("/") + "/", name)
        for mount in server.container.props.sections("volumeMounts")
        if (place := mount.text("mountPath")) and (name := mount.text("name"))
    ]
    over = [(place, name) for place, name in mounts if (path.rstrip("/") + "/").startswith(place)]
    return max(over, key=lambda mount: len(mount[0]))[1] if over else None


def _volume(stack: Stack, server: ModelServer, path: str) -> Volume | None:
    name = _mounted(server, path)
    return next((volume for volume in volumes_of(stack, server.pod) if volume.name == name), None)


def _scratch(server: ModelServer, path: str) -> bool:
    """Whether a path lies on the node's own disks."""
    name = _mounted(server, path)
    volumes: Iterator[Props] = (v for v in server.pod.spec.sections("volumes") if v.text("name") == name)
    return any(not volume.absent("hostPath") for volume in volumes)


def _engine(known: Model | None, nodes: int, *, tpu: bool) -> Phase:
    size, parameters = (known.weight_bytes, known.parameters) if known is not None else (None, None)
    kind = engine_kind(size, nodes, parameters, tpu=tpu)
    engine = ENGINES[kind]
    why = {
        "one": "imports, profiling, compilation and graph capture on one node",
        "group": "the same for a large model, or over several nodes",
        "tpu": "XLA compiles the model for every shape",
    }[kind]
    return Phase("engine", engine.seconds, why, _source(engine))
