"""The pods that Kubernetes objects make, whatever the kind of object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from inference.facts import controllers
from inference.facts.gke import GPU_RESOURCE, TPU_RESOURCE
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Path, Props, Secret, quantity

__all__ = ["ACCELERATORS", "Container", "PodTemplate", "PodTemplateOfUnknownKind"]

ACCELERATORS = (GPU_RESOURCE, TPU_RESOURCE)
"""Extended resources that stand for accelerators."""
_MODEL_PARTS = ("model", "huggingface", "triton", "pytorch", "tensorflow", "onnx")
"""Parts of a KServe predictor that become its container; the last five are the spellings before ``model``."""


@dataclass(frozen=True, eq=False)
class Container:
    """A container of a pod template."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    pod: PodTemplate
    props: Props
    init: bool = False
    """Whether it is an init container."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return all containers of all pod templates of a resource, init containers included."""
        return tuple(c for pod in resource.view(PodTemplate.of) for c in pod.all_containers)  # type: ignore[misc]

    @cached_property
    def name(self) -> str:
        """Name, empty where none is known."""
        return self.props.text("name") or ""

    @cached_property
    def image(self) -> str | None:
        """Image reference."""
        return self.props.text("image")

    @cached_property
    def sidecar(self) -> bool:
        """Whether it is an init container that keeps running."""
        return self.init and self.props.text("restartPolicy") == "Always"

    def requested(self, resource: str) -> float | None:
        """Return the amount asked for of a resource: the request, else the limit, in base units."""
        if resource not in self._requests:
            self._requests[resource] = self._request(resource)
        return self._requests[resource]

    @cached_property
    def _requests(self) -> dict[str, float | None]:
        return {}

    def _request(self, resource: str) -> float | None:
        for place in ("requests", "limits"):
            value = self.props.raw("resources", place, resource)
            if value is UNKNOWN:
                return None
            if (amount := quantity(value)) is not None:
                return amount
        return None

    def limit(self, resource: str) -> float | None:
        """Return the limit of a resource in base units."""
        return quantity(self.props.raw("resources", "limits", resource))

    @cached_property
    def accelerators(self) -> int:
        """GPUs or TPU chips it asks for; 0 where none or where that is not known."""
        amounts = (max(self.requested(name) or 0, self.limit(name) or 0) for name in ACCELERATORS)
        return int(min(sum(amounts), 1e6))

    @cached_property
    def variables(self) -> tuple[tuple[str, str | None], ...]:
        """Names of the declared environment variables in order, each with its value where that is a literal."""
        entries = self.props.sections("env")
        return tuple((name, entry.text("value")) for entry in entries if (name := entry.text("name")) is not None)

    @cached_property
    def variable_names(self) -> frozenset[str]:
        """Names of the declared environment variables, wherever their values come from."""
        return frozenset(name for name, _ in self.variables)

    @cached_property
    def variables_known(self) -> bool:
        """Whether ``env`` and the name of each entry in it are known."""
        return self.props.known("env") and all(entry.known("name") for entry in self.props.sections("env"))

    @cached_property
    def environment(self) -> dict[str, str]:
        """Environment variables with literal values; the last of a name counts."""
        return {name: value for name, value in self.variables if value is not None}

    @cached_property
    def command(self) -> tuple[str, ...]:
        """``command`` and ``args`` in one."""
        return (*self.props.texts("command"), *self.props.texts("args"))

    @property
    def ports(self) -> frozenset[int]:
        """Declared container ports."""
        return frozenset(p for port in self.props.sections("ports") if (p := port.integer("containerPort")) is not None)

    def __str__(self) -> str:
        return f'The container "{self.name}" of {self.pod}'


@dataclass(frozen=True, eq=False)
class PodTemplate:
    """What pods of an object look like."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    object: KubernetesObject
    metadata: Props
    spec: Props
    role: str = ""
    """Which of several templates: ``leader``, ``worker``, the name of a replicated job …"""
    injected: Mapping[str, str] = field(default_factory=dict)
    """Labels that the controller adds to each pod."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[PodTemplate, ...]:
        """Return the pod templates of a resource of a known kind."""
        return tuple(template for thing in resource.view(KubernetesObject.of) for template in _templates(thing))

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels of the pods, those that the controller adds included."""
        return {**self.metadata.strings("labels"), **self.injected}

    @cached_property
    def annotations(self) -> dict[str, str]:
        """Annotations of the pods."""
        return self.metadata.strings("annotations")

    @property
    def namespace(self) -> str:
        return self.object.namespace

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """Containers proper."""
        return tuple(Container(self, props) for props in self.spec.sections("containers"))

    @cached_property
    def init_containers(self) -> tuple[Container, ...]:
        """Init containers, sidecars among them."""
        return tuple(Container(self, props, init=True) for props in self.spec.sections("initContainers"))

    @cached_property
    def models(self) -> tuple[Container, ...]:
        """Containers in all but name: ``spec.predictor.model`` of an InferenceService and its older spellings."""
        if (self.object.group, self.object.kind) != (controllers.KSERVE_GROUP, "InferenceService"):
            return ()
        return tuple(Container(self, part) for name in _MODEL_PARTS if (part := self.spec.section(name)))

    @cached_property
    def all_containers(self) -> tuple[Container, ...]:
        """Init containers, then containers."""
        return (*self.init_containers, *self.containers)

    def requested(self, resource: str) -> float:
        """Return what a pod asks for in all; 0 where it asks for none."""
        if resource not in self._requests:
            self._requests[resource] = self._request(resource)
        return self._requests[resource]

    @cached_property
    def _requests(self) -> dict[str, float]:
        return {}

    def _request(self, resource: str) -> float:
        running = sum(c.requested(resource) or 0 for c in (*self.containers, *self.models))
        sidecars = sum(c.requested(resource) or 0 for c in self.init_containers if c.sidecar)
        starting = max((c.requested(resource) or 0 for c in self.init_containers if not c.sidecar), default=0)
        return max(running + sidecars, starting)

    @cached_property
    def accelerators(self) -> int:
        """GPUs or TPU chips of a pod."""
        return sum(c.accelerators for c in (*self.containers, *self.models))

    @cached_property
    def node_selector(self) -> dict[str, str]:
        """``nodeSelector`` with known values."""
        return self.spec.strings("nodeSelector")

    @cached_property
    def size(self) -> int | None:
        """Pods of one group (LeaderWorkerSet); 1 for other kinds, ``None`` where not known."""
        if self.object.kind != "LeaderWorkerSet":
            return 1
        if self.object.spec.absent("leaderWorkerTemplate", "size"):
            return 1
        return self.object.spec.integer("leaderWorkerTemplate", "size")

    @property
    def ends(self) -> bool:
        """Whether the object is a job of some kind, whose pods work until they are done."""
        return self.object.kind.endswith(("Job", "JobSet"))

    @cached_property
    def replicas(self) -> int | None:
        """Copies of the pod, or of the group it belongs to; ``None`` where not known."""
        if self.object.spec.absent("replicas"):
            return 1
        return self.object.spec.integer("replicas")

    def __str__(self) -> str:
        return f"the {self.role} of {self.object}" if self.role else str(self.object)


_LWS = "leaderworkerset.sigs.k8s.io/"
_REPLICA_SPECS = {
    "MPIJob": "mpiReplicaSpecs",
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
    "PaddleJob": "paddleReplicaSpecs",
    "JAXJob": "jaxReplicaSpecs",
}
_TEMPLATE_PATHS: dict[tuple[str, str], tuple[Path, ...]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("", "ReplicationController"): ("spec", "template"),
    ("", "PodTemplate"): ("template",),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("serving.knative.dev", "Service"): ("spec", "template"),
    ("argoproj.io", "Rollout"): ("spec", "template"),
    ("apps.kruise.io", "CloneSet"): ("spec", "template"),
    ("apps.kruise.io", "StatefulSet"): ("spec", "template"),
    ("apps.kruise.io", "DaemonSet"): ("spec", "template"),
}


def _templates(thing: KubernetesObject) -> Iterator[PodTemplate]:
    match (thing.group, thing.kind):
        case ("", "Pod"):
            yield PodTemplate(thing, thing.metadata, thing.spec)
        case (controllers.LWS_GROUP, "LeaderWorkerSet"):
            yield from _leader_and_worker(thing)
        case ("jobset.x-k8s.io", "JobSet"):
            for job in thing.spec.sections("replicatedJobs"):
                template = job.section("template", "spec", "template")
                yield PodTemplate(
                    thing, template.section("metadata"), template.section("spec"), job.text("name") or "job"
                )
        case (controllers.KSERVE_GROUP, "LLMInferenceService"):
            yield from _llm_inference_service(thing)
        case (controllers.KSERVE_GROUP, "InferenceService"):
            for part in ("predictor", "transformer", "explainer"):
                if spec := thing.spec.section(part):
                    yield PodTemplate(thing, spec, spec, part)
        case ("disaggregatedset.x-k8s.io", "DisaggregatedSet"):
            for role in thing.spec.sections("roles"):
                template = role.section("spec", "leaderWorkerTemplate", "workerTemplate")
                yield PodTemplate(
                    thing, template.section("metadata"), template.section("spec"), role.text("name") or "role"
                )
        case ("kubeflow.org", kind) if field_name := _REPLICA_SPECS.get(kind):
            for member in thing.spec.section(field_name):
                template = thing.spec.section(field_name, member, "template")
                yield PodTemplate(thing, template.section("metadata"), template.section("spec"), str(member).lower())
        case ("batch.volcano.sh", "Job"):
            for task in thing.spec.sections("tasks"):
                template = task.section("template")
                yield PodTemplate(
                    thing, template.section("metadata"), template.section("spec"), task.text("name") or "task"
                )
        case ("ray.io", "RayCluster"):
            yield from _ray(thing, thing.spec)
        case ("ray.io", "RayService" | "RayJob"):
            yield from _ray(thing, thing.spec.section("rayClusterConfig") or thing.spec.section("rayClusterSpec"))
        case key if key in _TEMPLATE_PATHS:
            template = thing.props.section(*_TEMPLATE_PATHS[key])
            if template:
                yield PodTemplate(thing, template.section("metadata"), template.section("spec"))
        case _:
            return


def _leader_and_worker(thing: KubernetesObject) -> Iterator[PodTemplate]:
    group = thing.spec.section("leaderWorkerTemplate")
    worker = group.section("workerTemplate")
    leader = group.section("leaderTemplate") or worker
    common = {_LWS + "name": thing.name} if thing.name else {}
    yield PodTemplate(
        thing,
        leader.section("metadata"),
        leader.section("spec"),
        "leader",
        {**common, _LWS + "worker-index": "0"},
    )
    if worker and group.integer("size") != 1:
        yield PodTemplate(thing, worker.section("metadata"), worker.section("spec"), "worker", common)


def _llm_inference_service(thing: KubernetesObject) -> Iterator[PodTemplate]:
    common = {"app.kubernetes.io/name": thing.name, "kserve.io/component": "workload"} if thing.name else {}
    for place, role in ((thing.spec, ""), (thing.spec.section("prefill"), "prefill")):
        for field_name in ("template", "worker"):
            if spec := place.section(field_name):
                name = " ".join(
                    part for part in (role, "worker" if field_name == "worker" else role and "leader") if part
                )
                yield PodTemplate(thing, place, spec, name, common)


def _ray(thing: KubernetesObject, cluster: Props) -> Iterator[PodTemplate]:
    if head := cluster.section("headGroupSpec", "template"):
        yield PodTemplate(thing, head.section("metadata"), head.section("spec"), "head")
    for group in cluster.sections("workerGroupSpecs"):
        template = group.section("template")
        yield PodTemplate(
            thing, template.section("metadata"), template.section("spec"), group.text("groupName") or "worker"
        )


@dataclass(frozen=True, eq=False)
class PodTemplateOfUnknownKind:
    """A pod template found in a kind that no other view knows."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    object: KubernetesObject
    place: str
    """Path of the pod spec in the object."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the places of pod specs in an object whose kind is not known to carry any."""
        things = resource.view(KubernetesObject.of)
        if not things or resource.view(PodTemplate.of) or things[0].kind in _WITHOUT_PODS:
            return ()
        return tuple(cls(things[0], place) for place in _pod_specs(dict(things[0].props.items()), "", 12))


_WITHOUT_PODS = frozenset(
    {
        "CustomResourceDefinition",
        "ConfigMap",
        "Secret",
        "LLMInferenceServiceConfig",
        "ServingRuntime",
        "ClusterServingRuntime",
    }
)


def _pod_specs(value: Any, place: str, depth: int) -> Iterator[str]:
    if isinstance(value, Secret):
        value = value.value
    steps: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        containers = Props(value).sections("containers") if "containers" in value else ()
        if any(c.text("image") and c.text("name") for c in containers):
            yield place.removeprefix(".")
            return
        steps = ((f"{place}.{key}", nested) for key, nested in value.items())
    elif isinstance(value, list):
        steps = ((f"{place}[{index}]", nested) for index, nested in enumerate(value))
    for step, nested in steps if depth > 1 else ():
        if isinstance(nested, dict | list | Mapping | Secret):
            yield from _pod_specs(nested, step, depth - 1)
