"""The model server in a container, whatever engine it is and however it is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from inference.facts import nim, vllm
from inference.rules.views.engines import Launch, image_name, launch_of
from inference.rules.views.options import Options, read_options
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.shell import Command, Script, Word

__all__ = ["ModelServer"]

_PORTS = {"vllm": vllm.HTTP_PORT, "nim": 8000, "trtllm": 8000, "triton": 8000, "sglang": 30000, "tgi": 80}
_HUGGING_FACE_PORT = 8080
_HEALTH = {"nim": nim.READY_PATH, "triton": "/v2/health/ready"}
_DEFAULT_ONE = frozenset({"vllm", "sglang", "trtllm"})
"""Engines that use one accelerator where nobody tells them a parallel size; others choose by themselves."""

_UPSTREAM = re.compile(r"vllm|vllm-openai(?:-(?:cpu|rocm|xpu))?|vllm-tpu")
_TAG = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:(?:[-+.]|rc|post)[\w.+-]*)?")


@dataclass(frozen=True, eq=False)
class ModelServer:
    """A container that serves a model, or that holds a part of one for a server on another pod."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    container: Container
    engine: str
    """``vllm``, ``nim``, ``sglang``, ``tgi``, ``trtllm``, ``triton`` or ``huggingface``."""
    options: Options
    """Options with vLLM's names, also where the engine has others, variables or fields of a custom resource."""
    command: Command | None = None
    """Command that starts it; ``None`` where the image or a controller writes the command."""
    ray_worker: bool = False
    """Whether it only joins a Ray cluster; the server on the leader then has the options."""
    front: str = ""
    """Server that runs the engine inside itself and answers in its place: ``huggingfaceserver``, or empty."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the model servers of a resource: one for each container that is one, in each pod template."""
        return tuple(
            cls._started(container, launch)
            for pod in resource.view(PodTemplate.of)
            for container in (*pod.all_containers, *pod.models)
            if (launch := launch_of(container)) is not None
        )

    @classmethod
    def _started(cls, container: Container, launch: Launch) -> Self:
        options = read_options(launch.words, launch.dialect, complete=launch.complete)
        engine, front = launch.engine, ""
        if engine == "huggingface":
            front = "huggingfaceserver"
            engine = "huggingface" if options.option("backend") == "huggingface" else "vllm"
        return cls(container, engine, options, launch.command, launch.ray_worker, front)

    @property
    def pod(self) -> PodTemplate:
        return self.container.pod

    @property
    def script(self) -> Script:
        """All that the container runs."""
        return Script.of(self.container)

    @property
    def environment(self) -> Mapping[str, Word]:
        """Environment variables in force for the server, those that the script exports included."""
        return self.command.environment if self.command else self.script.environment

    # Model

    @cached_property
    def model(self) -> str | None:
        """Model: a name on the Hub, a local path or a URI."""
        if self.options.has("model"):
            return self._uri(self.options.option("model"))
        if self.options.positional:
            first = self.options.positional[0]
            return self._uri(str(first)) if first.known else None
        if self.front and self.options.option("model-dir"):
            return self.options.option("model-dir")
        if self.engine == "nim":
            _, _, name = image_name(self.container.image).rpartition("/nim/")
            return name or None
        return None

    @staticmethod
    def _uri(model: str | None) -> str | None:
        return model.removeprefix("hf://") if model else None

    @cached_property
    def served_names(self) -> tuple[str, ...]:
        """Names under which it answers for the model; the model's own where none is given; empty if not known."""
        if self.options.has("served-model-name"):
            if self.options.unknown("served-model-name"):
                return ()
            names = self.options.values("served-model-name")
            return tuple(n for name in names for n in name.split(",") if n) if self.engine == "nim" else names
        return (self.model,) if self.model and self.options.complete else ()

    # Parallelism

    def _size(self, name: str) -> int | None:
        if self.options.has(name):
            return self.options.integer(name)
        return 1 if self.engine in _DEFAULT_ONE and self.options.absent(name) else None

    @property
    def tensor(self) -> int | None:
        """Tensor-parallel size."""
        return self._size("tensor-parallel-size")

    @property
    def pipeline(self) -> int | None:
        """Pipeline-parallel size."""
        if self.engine == "tgi":
            return 1
        return self._size("pipeline-parallel-size")

    @property
    def data(self) -> int | None:
        """Data-parallel size, over all pods."""
        if self.engine in ("nim", "tgi") and not self.options.has("data-parallel-size"):
            return 1
        return self._size("data-parallel-size")

    @property
    def data_local(self) -> int | None:
        """Data-parallel replicas in this pod."""
        if self.options.has("data-parallel-size-local"):
            return self.options.integer("data-parallel-size-local")
        if not self.options.complete:
            return None
        if self.options.has("data-parallel-rank") or self.options.switch("data-parallel-external-lb"):
            return 1
        nodes, world, data = self.nodes, self.world_size, self.data
        if nodes == 1:
            return data
        if not nodes or not world or not data:
            return None
        return max(world // nodes // (world // data), 1)

    @property
    def nodes(self) -> int | None:
        """Number of pods that one server spans by its own means (``--nnodes``)."""
        if self.engine == "tgi":
            return 1
        return self._size("nnodes")

    @property
    def world_size(self) -> int | None:
        """Accelerators that one server uses over all pods: the product of its parallel sizes."""
        sizes = [self.tensor, self.pipeline]
        if self.engine != "sglang" or self.options.switch("enable-dp-attention") is not True:
            sizes.append(self.data)
        if self.engine == "vllm":
            sizes.append(self._size("prefill-context-parallel-size"))
        product = 1
        for size in sizes:
            if size is None:
                return None
            product *= size
        return product

    @property
    def expert_parallel(self) -> bool | None:
        """Whether experts are spread over the accelerators; ``None`` where not known."""
        for name in ("ep-size", "expert-parallel-size"):
            if self.options.has(name):
                size = self.options.integer(name)
                return None if size is None else size > 1
        if self.options.has("enable-expert-parallel"):
            return self.options.switch("enable-expert-parallel")
        return False if self.options.complete else None

    @property
    def executor(self) -> str | None:
        """``--distributed-executor-backend`` where it is given."""
        return self.options.option("distributed-executor-backend")

    # Memory and numbers

    @property
    def max_model_len(self) -> int | None:
        """Longest sequence where it is given as a number; ``auto`` and ``-1`` are none."""
        length = self.options.integer("max-model-len")
        return length if length is not None and length > 0 else None

    @property
    def memory_utilization(self) -> float | None:
        """Share of the accelerator's memory where it is given."""
        names = ("device-memory-utilization", "gpu-memory-utilization")
        return next((n for name in names if (n := self.options.number(name)) is not None), None)

    @property
    def dtype(self) -> str | None:
        return self.options.option("dtype")

    @property
    def quantization(self) -> str | None:
        return self.options.option("quantization")

    @property
    def kv_cache_dtype(self) -> str | None:
        return self.options.option("kv-cache-dtype")

    # HTTP

    @property
    def headless(self) -> bool:
        """Whether it is told to serve no API."""
        return self.options.switch("headless") is True

    @property
    def port(self) -> int | None:
        """Port of the API, that of the engine where none is given; ``None`` where not known or none is opened."""
        if not self._listens:
            return None
        if self.options.has("port"):
            return self.options.integer("port")
        if not self.options.complete and self.engine != "nim":
            return None
        return _HUGGING_FACE_PORT if self.front else _PORTS.get(self.engine)

    @property
    def health_path(self) -> str:
        """Path that answers 200 when the model can be asked."""
        if self.front:
            return "/v2/health/ready"
        return _HEALTH.get(self.engine, vllm.HEALTH_PATH)

    @property
    def serves_http(self) -> bool:
        """Whether it answers HTTP: not headless, no worker of another server, not only on a socket or by gRPC."""
        return self._listens and self.options.switch("grpc") is not True

    @cached_property
    def _listens(self) -> bool:
        if self.headless or self.ray_worker or self.options.has("uds"):
            return False
        if not self.options.has("node-rank"):
            return True
        rank = self.options.integer("node-rank")
        # A rank that only the cluster knows is that of the pod: every pod of a group but the leader is a worker.
        return not self.pod.role.endswith("worker") if rank is None else rank == 0

    # Image

    @cached_property
    def image_version(self) -> tuple[int, int, int] | None:
        """Version of vLLM where the tag of the image tells it."""
        image = (self.container.image or "").partition("@")[0]
        last = image.rsplit("/", 1)[-1].lower()
        name, _, tag = last.partition(":")
        match = _TAG.fullmatch(tag) if self.engine == "vllm" and _UPSTREAM.fullmatch(name) else None
        if match is None or (name == "vllm" and match[1] != "0"):
            return None
        return int(match[1]), int(match[2]), int(match[3] or 0)

    def __str__(self) -> str:
        return str(self.container)
