"""A model as an LLMInferenceService: the pod of vLLM, and the route to it, in the form that KServe makes them of.

KServe lays the object over presets of its own. Containers, volumes and ports are merged by name, lists such as command
and args are replaced, so that what is written here is what runs. Two things are not left to the presets:

- The route. Theirs sets timeouts and ports that GKE refuses (GWCER104), and a new route that leads to KServe's own pool
  names InferencePool v1alpha2 until the gateway says that it does not know the kind; GKE has never had that definition.
- The pool and its picker. They are the ones of every other model, given by ``scheduler.pool.ref``.
"""

from __future__ import annotations

from inference.blueprint import ModelPlan
from inference.facts import controllers
from inference.manifests import gateway, vllm
from inference.manifests.objects import Manifest, metadata, object_
from inference.settings.gateway import GatewaySettings
from inference.settings.models import BucketWeights

__all__ = ["llm_inference_service", "service_name"]

_CONTAINER = "main"
"""Name that the presets give to the server's container."""


def service_name(model: ModelPlan) -> str:
    """Return the Service that KServe makes for clients inside the cluster."""
    return f"{model.name}-kserve-workload-svc"


def llm_inference_service(model: ModelPlan, entrance: GatewaySettings | None, *, by_name: bool = False) -> Manifest:
    """Return the LLMInferenceService of a model.

    Args:
        model: the model.
        entrance: the gateway that leads to it; ``None`` for clients inside the cluster only.
        by_name: whether only requests for this model are meant, where several share the gateway.
    """
    template = vllm.pod_template(model, "single")
    spec: Manifest = {
        "model": {"uri": _uri(model), "name": model.settings.model},
        "storageInitializer": {"enabled": False},
        "replicas": model.settings.replicas,
        "parallelism": {"tensor": model.split.tensor},
        "labels": model.selector,
        "template": {**template["spec"], "containers": [_container(c) for c in template["spec"]["containers"]]},
    }
    if annotations := template["metadata"].get("annotations"):
        spec["annotations"] = annotations
    if entrance is not None:
        spec["router"] = _router(model, entrance, by_name=by_name)
    meta = metadata(model.name, labels=model.labels, annotations=model.annotations)
    return object_(controllers.KSERVE_API, "LLMInferenceService", meta, spec=spec)


def _uri(model: ModelPlan) -> str:
    """Return where the weights are; vLLM itself reads them, since KServe's own download fits no Cloud Storage."""
    weights = model.settings.weights
    if isinstance(weights, BucketWeights):
        return f"gs://{weights.bucket}/{weights.path}"
    return f"hf://{model.settings.model}"


def _container(container: Manifest) -> Manifest:
    """Return the server's container under the presets' name; they want a user other than root, its image none."""
    security = {**container["securityContext"], "runAsNonRoot": False}
    return {**container, "name": _CONTAINER, "securityContext": security}


def _router(model: ModelPlan, entrance: GatewaySettings, *, by_name: bool) -> Manifest:
    """Return gateway, route and pool. KServe takes the route's parents from the gateway, and refuses others."""
    route = gateway.route(model, entrance, by_name=by_name)
    (parent,) = route["spec"]["parentRefs"]
    reference = {"name": parent["name"], "namespace": route["metadata"]["namespace"]}
    return {
        "gateway": {"refs": [{**reference, "sectionName": parent["sectionName"]}]},
        "route": {"http": {"spec": {key: value for key, value in route["spec"].items() if key != "parentRefs"}}},
        "scheduler": {"pool": {"ref": {"name": gateway.inference_pool(model)["metadata"]["name"]}}},
    }
