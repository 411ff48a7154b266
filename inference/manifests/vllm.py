"""The vLLM server: its command line, its container and the pod around it.

One node runs ``vllm serve`` as it is. Over several nodes every pod runs the same command with its own rank, without
Ray. Of a pipeline rank 0 answers requests and the others run headless; data-parallel ranks answer on every node. The
shell around it only prepares the environment.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from inference.blueprint import (
    API_KEY_SECRET,
    SERVER_PORT,
    GpuPoolPlan,
    ModelPlan,
    hub_token_secret,
)
from inference.facts import controllers, gke, vllm
from inference.manifests import disaggregation, tpu_group
from inference.manifests.fabric import FabricParts, fabric_parts, placement
from inference.manifests.objects import Manifest
from inference.manifests.server_pods import SHARED_MEMORY_MOUNT, ending, probes, shared_memory
from inference.settings.models import BucketWeights, HubWeights

__all__ = ["pod_template"]

_CACHE = "/root/.cache"


def arguments(model: ModelPlan, role: str) -> list[str]:
    """Return the words after ``vllm serve``.

    Args:
        model: the model.
        role: ``single``; ``leader`` or ``worker`` of a pipeline; ``rank`` of data-parallel pods.
    """
    settings = model.settings
    words = [model.weights_path, "--served-model-name", settings.model]
    words += ["--port", str(model.engine_port)] if role != "worker" else []
    words += ["--tensor-parallel-size", str(tpu_group.tensor_parallel(model))]
    if model.split.pipeline > 1:
        words += ["--pipeline-parallel-size", str(model.split.pipeline)]
    words += _data_parallel(model, role)
    if tpu_group.over_hosts(model):
        words += tpu_group.arguments()
    elif role in {"leader", "worker"}:
        words += [
            "--distributed-executor-backend",
            "mp",
            "--nnodes",
            f"$({controllers.LWS_SIZE_ENV})",
            "--node-rank",
            f"$({controllers.LWS_WORKER_INDEX_ENV})",
            "--master-addr",
            f"$({controllers.LWS_LEADER_ENV})",
        ]
        words += ["--headless"] if role == "worker" else []
    words += ["--max-model-len", str(settings.context_length)]
    words += ["--gpu-memory-utilization", f"{settings.memory_utilization:g}"]
    if settings.max_concurrent_sequences is not None:
        words += ["--max-num-seqs", str(settings.max_concurrent_sequences)]
    if settings.dtype != "auto":
        words += ["--dtype", settings.dtype]
    if settings.kv_cache_dtype != "auto":
        words += ["--kv-cache-dtype", settings.kv_cache_dtype]
    words += ["--shutdown-timeout", str(ending(spot=model.pool.spot).finishing)] if role != "worker" else []
    words += disaggregation.arguments(model)
    if model.cache_events:
        words += ["--kv-events-config", json.dumps(_cache_events(model))]
    return [*words, *_extra(model)]


def _data_parallel(model: ModelPlan, role: str) -> Iterable[str]:
    if model.split.data == 1:
        return
    yield from ("--data-parallel-size", str(model.split.data))
    if role == "rank":
        first = f"$(({controllers.LWS_WORKER_INDEX_ENV} * {model.ranks_per_pod}))"
        yield from ("--data-parallel-size-local", str(model.ranks_per_pod), "--data-parallel-start-rank", first)
        yield from ("--data-parallel-address", f"$({controllers.LWS_LEADER_ENV})", "--data-parallel-hybrid-lb")
    if "--enable-expert-parallel" not in model.settings.extra_args:
        yield "--enable-expert-parallel"
    yield from ("--all2all-backend", vllm.ALL2ALL_BACKEND)


def _cache_events(model: ModelPlan) -> Manifest:
    """Return where the engine says what its cache holds: the picker connects to each pod, and knows it by address."""
    topic = f"kv@$(POD_IP):{SERVER_PORT}@{model.settings.model}"
    endpoint = f"tcp://*:{vllm.KV_EVENTS_PORT}"
    return {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": endpoint, "topic": topic}


def _extra(model: ModelPlan) -> Iterable[str]:
    for flag, value in model.settings.extra_args.items():
        if value is False:
            yield f"--no-{flag.removeprefix('--')}"
        else:
            yield flag
            if value is not True:
                yield str(value)


def _command(model: ModelPlan, role: str) -> Manifest:
    words = arguments(model, role)
    over_hosts = tpu_group.over_hosts(model)
    if not model.collective and not over_hosts and role != "rank":
        return {"command": ["vllm", "serve"], "args": words}
    quoted = (word if word.startswith("$(") else shlex.quote(word) for word in words)
    serve = f"exec vllm serve {' '.join(quoted)}"
    run = tpu_group.script(model, role, serve) if over_hosts else [*_fabric(model).script, serve]
    lines = ["set -eo pipefail", *run]
    return {"command": ["/bin/bash", "-c"], "args": ["\n".join(lines) + "\n"]}


def _environment(model: ModelPlan, role: str) -> list[Manifest]:
    entries: list[Manifest] = []
    if isinstance(model.pool, GpuPoolPlan):
        entries.append({"name": "LD_LIBRARY_PATH", "value": f"{gke.DRIVER_LIBRARY_PATH}:/usr/local/cuda/lib64"})
        entries.append({"name": "TRITON_LIBCUDA_PATH", "value": gke.DRIVER_LIBRARY_PATH})
    entries += [*_fabric(model).environment, *tpu_group.environment(model)]
    entries.append({"name": vllm.READY_TIMEOUT_ENV, "value": str(model.startup.budget_seconds)})
    if role != "single":
        entries += [pod_address("VLLM_HOST_IP"), {"name": vllm.GLOO_INTERFACE_ENV, "value": "eth0"}]
    elif isinstance(model.pool, GpuPoolPlan) and model.pool.gib and model.per_pod > 1:
        entries += [{"name": name, "value": "none"} for name in vllm.NCCL_PLUGINS_OFF_ENV]
    if model.role:
        entries.append(pod_address(vllm.NIXL_SIDE_CHANNEL_HOST_ENV))
        entries += [{"name": name, "value": value} for name, value in [vllm.UCX_ROCE_ENV] if model.rdma]
    if model.cache_events:
        entries.append(pod_address("POD_IP"))
    if model.authenticated and role != "worker":
        entries.append(_from_secret(vllm.API_KEY_ENV, API_KEY_SECRET, "api-key"))
    weights = model.settings.weights
    if isinstance(weights, HubWeights):
        if weights.token is not None:
            entries.append(_from_secret(vllm.HUB_TOKEN_ENV, hub_token_secret(model.name), "token"))
    else:
        entries.append({"name": "HF_HUB_OFFLINE", "value": "1"})
    return entries


def pod_address(name: str) -> Manifest:
    """Return a variable with the address of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def _from_secret(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def container(model: ModelPlan, role: str) -> Manifest:
    """Return the server's container."""
    amount = {model.resource: str(model.per_pod)}
    claims = _fabric(model).container_claims
    made: Manifest = {
        "name": "vllm",
        "image": model.image,
        "imagePullPolicy": "IfNotPresent",
        **_command(model, role),
        "env": _environment(model, role),
        "resources": {
            "requests": {"cpu": str(model.cpu), "memory": f"{model.memory_gib}Gi", **amount},
            "limits": amount,
        }
        | ({"claims": claims} if claims else {}),
        "volumeMounts": _mounts(model),
        "securityContext": _fabric(model).security,
    }
    if role != "worker":
        path, allowed = vllm.HEALTH_PATH, model.startup.failure_threshold
        made |= probes(model.engine_port_name, ready=path, live=path, failure_threshold=allowed)
        made["ports"] = _ports(model)
        made["lifecycle"] = ending(spot=model.pool.spot).lifecycle
    return made


def _ports(model: ModelPlan) -> list[Manifest]:
    ports = {model.engine_port_name: model.engine_port}
    ports |= {"nixl": vllm.NIXL_SIDE_CHANNEL_PORT} if model.role else {}
    ports |= {"kv-events": vllm.KV_EVENTS_PORT} if model.cache_events else {}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _fabric(model: ModelPlan) -> FabricParts:
    return fabric_parts(model.pool, collective=model.collective) if model.rdma else FabricParts()


def _mounts(model: ModelPlan) -> list[Manifest]:
    mounts: list[Manifest] = [SHARED_MEMORY_MOUNT, {"name": "cache", "mountPath": _CACHE}]
    mounts += _fabric(model).mounts
    if isinstance(model.settings.weights, BucketWeights):
        mounts.append({"name": "weights", "mountPath": "/weights", "readOnly": True})
    return mounts


def _volumes(model: ModelPlan) -> list[Manifest]:
    volumes: list[Manifest] = [
        shared_memory(model.shm_gib),
        {"name": "cache", "emptyDir": {}},
    ]
    volumes += _fabric(model).volumes
    weights = model.settings.weights
    if isinstance(weights, BucketWeights):
        options = ["implicit-dirs", "metadata-cache:ttl-secs:-1", "metadata-cache:stat-cache-max-size-mb:-1"]
        if _local_ssds(model):
            options += ["file-cache:max-size-mb:-1", "file-cache:enable-parallel-downloads:true"]
        attributes = {"bucketName": weights.bucket, "mountOptions": ",".join(options)}
        volumes.append(
            {
                "name": "weights",
                "csi": {"driver": gke.GCSFUSE_DRIVER, "readOnly": True, "volumeAttributes": attributes},
            }
        )
    return volumes


def _local_ssds(model: ModelPlan) -> int:
    return (model.pool.machine.local_ssds or 0) if isinstance(model.pool, GpuPoolPlan) else 0


def _annotations(model: ModelPlan) -> dict[str, str]:
    # Servers read the key when they start: another one restarts them.
    annotations = {"gke-inference/api-key": model.api_key_source} if model.authenticated else {}
    annotations |= _fabric(model).annotations
    if isinstance(model.settings.weights, BucketWeights):
        annotations[gke.GCSFUSE_ANNOTATION] = "true"
        annotations[gke.GCSFUSE_CPU_LIMIT_ANNOTATION] = "0"
        annotations[gke.GCSFUSE_MEMORY_LIMIT_ANNOTATION] = "0"
        annotations[gke.GCSFUSE_EPHEMERAL_LIMIT_ANNOTATION] = "0"
    return annotations


def pod_template(model: ModelPlan, role: str) -> Manifest:
    """Return the pod template of one role: ``single``, ``leader``, ``worker`` or ``rank``."""
    spec: Manifest = {
        "serviceAccountName": model.service_account,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": ending(spot=model.pool.spot).grace_seconds,
        **placement(model.pool),
        "containers": [container(model, role)],
        "volumes": _volumes(model),
    }
    sidecars = [*_fabric(model).sidecars, *([disaggregation.sidecar(model)] if model.role == "decode" else [])]
    if sidecars:
        spec["initContainers"] = sidecars
    if claims := _fabric(model).pod_claims:
        spec["resourceClaims"] = claims
    labels = {**model.labels, "gke-inference/role": role} if role in {"leader", "worker"} else model.labels
    made: Manifest = {"metadata": {"labels": labels}, "spec": spec}
    if annotations := _annotations(model):
        made["metadata"]["annotations"] = annotations
    return made
