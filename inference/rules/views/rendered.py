"""Workloads that a chart or an operator makes of a few values: as much of them as the values tell.

Only charts and kinds are here whose templates are known. Probes, volumes and labels that they add are left out, so
only rules about the server itself, ``JUDGED``, have a verdict on what is made here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from inference.rules.views.helm import HelmRelease
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["JUDGED", "RENDERED", "rendered"]

JUDGED = frozenset({"vllm", "vllm_memory", "vllm_parallelism", "vllm_runtime", "scheduling", "supply_chain"})
"""Areas whose rules judge a server by its command, image, variables and accelerators."""

RENDERED = (
    "kubernetes:helm.sh/",
    "kubernetes:apps.nvidia.com/",
    "kubernetes:nvidia.com/",
    "kubernetes:production-stack.vllm.ai/",
)
"""Prefixes of the types of which workloads can be made here."""

_GPU = "nvidia.com/gpu"
_Map = dict[str, Any]


def rendered(resource: Resource) -> tuple[Resource, ...]:
    """Return the workloads of a chart or a custom resource, each under the URN of what makes it."""
    if not resource.type.startswith(RENDERED):
        return ()
    return tuple(
        Resource("kubernetes:apps/v1:Deployment", name, resource.urn, Props(_deployment(name, resource, pod)))
        for name, pod in _pods(resource)
    )


def _deployment(name: str, resource: Resource, pod: _Map) -> _Map:
    namespace = resource.props.raw("namespace") or resource.props.raw("metadata", "namespace")
    metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}}}


def _pods(resource: Resource) -> Iterator[tuple[str, _Map]]:
    """Yield name and spec of each pod template."""
    for release in resource.view(HelmRelease.of):
        if (chart := _CHARTS.get(release.chart)) is not None:
            for part, pod in chart(release.values):
                yield f"{release.name or resource.name}{part}", pod
    for thing in resource.view(KubernetesObject.of):
        if (kind := _KINDS.get((thing.group, thing.kind))) is not None:
            for part, pod in kind(thing.spec):
                yield f"{thing.name or resource.name}{part}", pod


def _given(**entries: Any) -> _Map:
    """Return the entries that are there."""
    return {key: value for key, value in entries.items() if value is not None}


def _list(props: Props, *path: str) -> list[Any]:
    value = props.raw(*path)
    return [UNKNOWN] if value is UNKNOWN else list(value) if isinstance(value, list | tuple) else []


def _options(props: Props, names: Mapping[str, str]) -> list[Any]:
    """Return options for the values that are given."""
    words: list[Any] = []
    for key, option in names.items():
        value = props.raw(key)
        if value is not None:
            words += [f"--{option}", UNKNOWN if value is UNKNOWN else _word(value)]
    return words


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _gpus(amount: Any, resource: str = _GPU) -> _Map:
    return {} if amount in (None, 0, "0") else {"requests": {resource: amount}, "limits": {resource: amount}}


def _image(props: Props) -> Any:
    repository, tag = props.text("repository"), props.text("tag")
    return None if repository is None or tag is None else f"{repository}:{tag}"


def _token(name: str, secret: str, key: str) -> _Map:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


# ------------------------------------------------------------------ charts

_VLLM_VALUES = {
    "maxModelLen": "max-model-len",
    "dtype": "dtype",
    "tensorParallelSize": "tensor-parallel-size",
    "maxNumSeqs": "max-num-seqs",
    "gpuMemoryUtilization": "gpu-memory-utilization",
    "maxLoras": "max-loras",
}


def _vllm_stack(values: Props) -> Iterator[tuple[str, _Map]]:
    """See https://github.com/vllm-project/production-stack/tree/main/helm."""
    engines = values.section("servingEngineSpec")
    for model in engines.sections("modelSpec"):
        if model.flag("raySpec", "enabled") or model.flag("enabled") is False or model.raw("modelURL") is None:
            continue
        config = model.section("vllmConfig")
        env = [*_list(engines, "env"), *_list(model, "env")]
        if not model.absent("hf_token") or not model.absent("envFromSecret"):
            env.append(_token("HF_TOKEN", "hf", "token"))
        container = _given(
            name="vllm",
            image=_image(model),
            command=["vllm", "serve", model.raw("modelURL"), *_options(config, _VLLM_VALUES)],
            args=_list(config, "extraArgs"),
            env=env,
            resources=_gpus(model.raw("requestGPU"), model.text("requestGPUType") or _GPU),
            volumeMounts=[{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 - of the container
        )
        pod: _Map = {"containers": [container]}
        if terms := _list(model, "nodeSelectorTerms"):
            wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            pod["affinity"] = {"nodeAffinity": wanted}
        yield f"-{model.text('name') or 'engine'}", pod


def _model_service(values: Props) -> Iterator[tuple[str, _Map]]:
    """See https://github.com/llm-d-incubation/llm-d-modelservice."""
    artifacts = values.section("modelArtifacts")
    uri = artifacts.text("uri")
    for part in ("decode", "prefill"):
        stage = values.section(part)
        if stage.flag("create") is False or values.flag("multinode"):
            continue
        containers = [_of_model_service(container, stage, artifacts, uri) for container in stage.sections("containers")]
        if containers:
            yield f"-{part}", _given(containers=containers, nodeSelector=stage.raw("nodeSelector"))


def _of_model_service(container: Props, stage: Props, artifacts: Props, uri: str | None) -> _Map:
    made = dict(container.items())
    env = _list(container, "env")
    if not artifacts.absent("authSecretName"):
        env.append(_token("HF_TOKEN", "hf", "HF_TOKEN"))
    command = container.text("modelCommand")
    tensor = stage.raw("parallelism", "tensor")
    if command == "vllmServe" and container.absent("command"):
        # Weights on a volume are at a path that the chart makes.
        model = uri.removeprefix("hf://") if uri and uri.startswith("hf://") else UNKNOWN
        sizes = [] if tensor is None else ["--tensor-parallel-size", UNKNOWN if tensor is UNKNOWN else _word(tensor)]
        made["command"] = ["vllm", "serve", model, *sizes]
    if not stage.absent("parallelism"):
        made["resources"] = _gpus(tensor)
    return made | {"env": env}


def _nim(values: Props) -> Iterator[tuple[str, _Map]]:
    """See https://github.com/NVIDIA/nim-deploy."""
    container = _given(
        name="nim", image=_image(values.section("image")), env=values.raw("env"), resources=values.raw("resources")
    )
    yield "", _given(containers=[container], nodeSelector=values.raw("nodeSelector"))


_Maker = Callable[[Props], Iterator[tuple[str, _Map]]]
_CHARTS: Mapping[str, _Maker] = {"vllm-stack": _vllm_stack, "llm-d-modelservice": _model_service, "nim-llm": _nim}


# ------------------------------------------------------------------ custom resources


def _vllm_runtime(spec: Props) -> Iterator[tuple[str, _Map]]:
    """See https://github.com/vllm-project/production-stack/tree/main/operator."""
    model, config, deployed = spec.section("model"), spec.section("vllmConfig"), spec.section("deploymentConfig")
    lengths = {"maxModelLen": "max-model-len", "dtype": "dtype", "maxNumSeqs": "max-num-seqs"}
    sizes = {key: _VLLM_VALUES[key] for key in ("tensorParallelSize", "gpuMemoryUtilization")}
    sizes["pipelineParallelSize"] = "pipeline-parallel-size"
    env = _list(config, "env")
    if not model.absent("hfTokenSecret"):
        env.append(_token("HF_TOKEN", "hf", "token"))
    container = _given(
        name="vllm",
        image=deployed.raw("image", "name"),
        command=["vllm", "serve", model.raw("modelURL"), *_options(model, lengths), *_options(config, sizes)],
        args=_list(config, "extraArgs"),
        env=env,
        resources=_gpus(deployed.raw("resources", "gpu")),
        volumeMounts=[{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 - of the container
    )
    if not model.absent("modelURL"):
        yield "", {"containers": [container]}


def _nim_service(spec: Props) -> Iterator[tuple[str, _Map]]:
    """See https://docs.nvidia.com/nim-operator."""
    container = _given(
        name="nim", image=_image(spec.section("image")), env=spec.raw("env"), resources=spec.raw("resources")
    )
    yield "", _given(containers=[container], nodeSelector=spec.raw("nodeSelector"))


def _dynamo(spec: Props) -> Iterator[tuple[str, _Map]]:
    """See https://docs.nvidia.com/dynamo: the main container of each service of a graph."""
    for name in spec.section("services"):
        service = spec.section("services", name)
        main = service.section("extraPodSpec", "mainContainer")
        if main:
            gpus = _gpus(service.raw("resources", "limits", "gpu"))
            yield f"-{str(name).lower()}", {"containers": [dict(main.items()) | {"name": "main", "resources": gpus}]}


_KINDS: Mapping[tuple[str, str], _Maker] = {
    ("production-stack.vllm.ai", "VLLMRuntime"): _vllm_runtime,
    ("apps.nvidia.com", "NIMService"): _nim_service,
    ("nvidia.com", "DynamoGraphDeployment"): _dynamo,
}
