"""What KServe and NIM get is what they need: their objects say so, and the cluster would accept them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import derivation
from inference.blueprint import Blueprint, design
from inference.facts import models, nim
from inference.facts.versions import COMPONENTS
from inference.fit import GIB
from inference.manifests import gateway, kserve, servers
from inference.manifests import nim as nim_manifests
from inference.settings.nim import NimModelSettings
from inference.stackfile import load
from inference.startup import startup
from rehearsal.plan import Plan
from tests.inference.test_served import KSERVE, NIM, changed
from tests.support.definitions import definitions_folder, problems
from tests.support.rehearsed import rehearsed
from tests.support.stacks import DELETE, ROOT

RELEASE = "kubernetes:helm.sh/v3:Release"
SERVICE = "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService"


def plan(example: str, **edits: Any) -> Blueprint:
    settings = load(changed(example, {key.replace("__", "."): value for key, value in edits.items()}), example)
    return design(settings, example)


def service(**edits: Any) -> dict[str, Any]:
    made = plan(KSERVE, **edits)
    return kserve.llm_inference_service(made.models["qwen"], made.settings.gateway)["spec"]


def stateful_set(**edits: Any) -> dict[str, Any]:
    return nim_manifests.stateful_set(plan(NIM, **edits).nims["llama"])["spec"]


def pod() -> tuple[dict[str, Any], dict[str, Any]]:
    spec = stateful_set()["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


# ------------------------------------------------------------------ KServe


@pytest.mark.skipif(definitions_folder() is None, reason="the definitions of custom resources are not at hand")
@pytest.mark.parametrize("edits", [{}, {"gateway": DELETE}, {"models__qwen__replicas": 0}])
def test_a_service_of_kserve_passes_the_strict_validation_of_its_definition(edits: dict[str, Any]) -> None:
    made = plan(KSERVE, **edits)
    assert not list(problems(kserve.llm_inference_service(made.models["qwen"], made.settings.gateway)))


def test_the_route_is_spelled_out_without_what_gke_refuses() -> None:
    router = service()["router"]
    route = router["route"]["http"]["spec"]
    (rule,) = route["rules"]
    (backend,) = rule["backendRefs"]
    assert "timeouts" not in rule
    assert "port" not in backend
    assert backend["group"] == "inference.networking.k8s.io"
    assert "parentRefs" not in route
    assert router["gateway"]["refs"] == [{"name": "inference", "namespace": "inference", "sectionName": "https"}]


def test_route_and_scheduler_name_the_pool_that_the_gateway_makes() -> None:
    made = plan(KSERVE)
    router = service()["router"]
    name = gateway.inference_pool(made.models["qwen"])["metadata"]["name"]
    assert router["scheduler"] == {"pool": {"ref": {"name": name}}}
    assert [b["name"] for rule in router["route"]["http"]["spec"]["rules"] for b in rule["backendRefs"]] == [name]
    assert name != "qwen-inference-pool", "KServe deletes a pool of that name where another one is given"


def test_pool_and_scrape_target_select_the_labels_that_kserve_puts_on_the_pods() -> None:
    model = plan(KSERVE).models["qwen"]
    labels = service()["labels"]
    pool = gateway.inference_pool(model)["spec"]["selector"]["matchLabels"]
    monitored = servers.pod_monitoring(model)["spec"]["selector"]["matchLabels"]
    assert pool.items() <= labels.items()
    assert monitored.items() <= labels.items()
    assert not {"app.kubernetes.io/name", "app.kubernetes.io/part-of"} & set(labels), "those are KServe's own"


def test_the_server_under_kserve_runs_what_is_written_and_asks_for_the_key() -> None:
    (container,) = service()["template"]["containers"]
    assert container["name"] == "main"
    assert container["command"] == ["vllm", "serve"]
    assert container["image"] == COMPONENTS["vllm-tpu"].reference
    assert container["resources"]["limits"] == {"google.com/tpu": "4"}
    assert container["securityContext"]["runAsNonRoot"] is False, "the presets want another user, the image has none"
    assert {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "model-api-key", "key": "api-key"}}} in (
        container["env"]
    )
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 900
    assert service()["storageInitializer"] == {"enabled": False}


def test_weights_in_a_bucket_are_mounted_since_kserve_cannot_download_them() -> None:
    spec = service(models__qwen__weights={"source": "bucket", "bucket": "my-weights", "path": "qwen"})
    assert spec["model"]["uri"] == "gs://my-weights/qwen"
    assert spec["annotations"]["gke-gcsfuse/volumes"] == "true"
    assert any(volume["name"] == "weights" for volume in spec["template"]["volumes"])


def test_without_a_gateway_kserve_makes_no_route() -> None:
    assert "router" not in service(gateway=DELETE)


@given(weight_bytes=st.floats(0, 2e12) | st.none(), source=st.sampled_from(["hub", "bucket"]), nodes=st.integers(1, 64))
def test_a_tpu_server_always_has_the_time_to_compile(weight_bytes: float | None, source: Any, nodes: int) -> None:
    found = startup(weight_bytes, source, nodes, tpu=True)
    assert found.budget_seconds >= max(900, found.seconds)


@pytest.fixture(scope="module")
def installed() -> Plan:
    return rehearsed(ROOT / "examples" / f"{KSERVE}.yaml")


def test_cert_manager_definitions_controller_and_presets_wait_for_each_other(installed: Plan) -> None:
    releases = {str(state.inputs["name"]): state for state in installed.of_type(RELEASE)}
    order = ["cert-manager", "kserve-llmisvc-crd", "kserve-llmisvc-resources", "kserve-runtime-configs"]
    for before, after in pairwise(order[1:]):
        assert releases[before].urn in releases[after].dependencies
    for name in order[1:]:
        assert any("CertManager" in urn for urn in releases[name].dependencies)
    (model,) = installed.of_type(SERVICE)
    waited = set(model.dependencies)
    assert {releases[name].urn for name in order} <= waited


def test_the_charts_of_kserve_are_pinned_and_leave_the_pool_to_gke(installed: Plan) -> None:
    releases: dict[str, Any] = {str(state.inputs["name"]): state.inputs for state in installed.of_type(RELEASE)}
    for name, inputs in releases.items():
        assert inputs["version"] == COMPONENTS[name].version
        assert inputs["atomic"] is True
        assert inputs.get("skipAwait") is not True
    assert releases["cert-manager"]["values"]["crds"] == {"enabled": True}
    assert releases["kserve-llmisvc-resources"]["values"]["kserve"]["llmisvc"]["createGIECRDs"] is False
    assert releases["kserve-runtime-configs"]["values"]["kserve"]["llmisvcConfigs"] == {"enabled": True}


def test_kserve_brings_the_only_route_and_the_gateway_pool_picker_and_policies(installed: Plan) -> None:
    kinds = [state.type.rpartition(":")[2] for state in installed if state.type.startswith("kubernetes:")]
    assert "HTTPRoute" not in kinds
    for kind in ("Gateway", "InferencePool", "HealthCheckPolicy", "GCPBackendPolicy", "LLMInferenceService"):
        assert kinds.count(kind) == 1


# ------------------------------------------------------------------ NIM


def objects() -> list[dict[str, Any]]:
    model = plan(NIM).nims["llama"]
    makers = ("stateful_set", "storage_class", "service", "headless_service", "service_account", "pod_monitoring")
    return [getattr(nim_manifests, maker)(model) for maker in makers]


def test_every_object_of_a_nim_passes_strict_validation() -> None:
    assert not [problem for manifest in objects() for problem in problems(manifest)]


def test_the_cache_is_on_a_disk_of_its_own_that_the_user_may_write() -> None:
    spec, container = pod()
    (claim,) = stateful_set()["volumeClaimTemplates"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts[environment["NIM_CACHE_PATH"] or ""] == claim["metadata"]["name"]
    assert spec["securityContext"]["fsGroup"] == 1000
    assert spec["securityContext"]["runAsNonRoot"] is True
    disks = nim_manifests.storage_class(plan(NIM).nims["llama"])
    assert claim["spec"]["storageClassName"] == disks["metadata"]["name"]
    assert disks["volumeBindingMode"] == "WaitForFirstConsumer"
    assert stateful_set()["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Retain"}


def test_a_nim_pulls_with_one_secret_and_downloads_with_another_from_one_key() -> None:
    made = plan(NIM)
    spec, container = pod()
    reference = next(e["valueFrom"]["secretKeyRef"] for e in container["env"] if e["name"] == "NGC_API_KEY")
    key, source = made.secrets[reference["name"]]
    assert key == reference["key"]
    assert source == made.settings.models["llama"].ngc_api_key  # type: ignore[union-attr]
    assert {entry["name"] for entry in spec["imagePullSecrets"]} == set(made.pull_secrets)
    assert list(made.pull_secrets.values()) == [source]


def test_probes_ask_the_ready_and_live_paths_and_allow_for_the_download() -> None:
    _, container = pod()
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": nim.READY_PATH, "readiness": nim.READY_PATH, "liveness": nim.LIVE_PATH}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 1800


def test_on_spot_nodes_a_nim_ends_before_its_node_does() -> None:
    spec = nim_manifests.stateful_set(plan(NIM, pools__l4__capacity={"type": "spot"}).nims["llama"])["spec"]
    pod = spec["template"]["spec"]
    assert int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1]) < 15
    assert pod["terminationGracePeriodSeconds"] < 30


def test_both_services_select_the_pods_and_lead_to_their_port() -> None:
    labels = stateful_set()["template"]["metadata"]["labels"]
    model = plan(NIM).nims["llama"]
    for made in (nim_manifests.service(model), nim_manifests.headless_service(model)):
        assert made["spec"]["selector"].items() <= labels.items()
        assert made["spec"]["type"] == "ClusterIP"
        assert made["spec"]["ports"][0]["targetPort"] == "http"
    assert nim_manifests.headless_service(model)["spec"]["clusterIP"] == "None"
    assert stateful_set()["serviceName"] == nim_manifests.headless_service(model)["metadata"]["name"]


def test_the_pull_secret_logs_in_as_the_user_of_every_key_and_shows_nothing() -> None:
    made = rehearsed(ROOT / "examples" / f"{NIM}.yaml")
    secrets: dict[str, Any] = {s.urn.rpartition("::")[2]: s.inputs for s in made.of_type("kubernetes:core/v1:Secret")}
    login = secrets["namespace-llama-registry"]
    assert login["type"] == "kubernetes.io/dockerconfigjson"
    assert type(login["stringData"]).__name__ == "Secret"
    (text,) = login["stringData"].value.values()
    found = json.loads(text.value if hasattr(text, "value") else text)["auths"]["nvcr.io"]
    assert found["username"] == "$oauthtoken"
    assert found["password"]


@given(st.sampled_from([m for m in models.MODELS.values() if m.weight_bytes]))
def test_the_disk_that_is_derived_holds_the_download_twice(model: models.Model) -> None:
    settings = NimModelSettings.model_construct(model=model.id, cache_gib=None)
    assert (derivation.nim_cache_gib(settings) or 0) * GIB >= 2 * (model.weight_bytes or 0)


def test_no_nim_is_behind_the_gateway() -> None:
    other = {"engine": "vllm", "model": "Qwen/Qwen2.5-1.5B-Instruct", "pool": "l4", "contextLength": 4096}
    entrance = {
        "exposure": "internal",
        "hostname": "a.example.com",
        "tls": {"certificate": "x"},
        "apiKey": {"secret": "k"},
    }
    made = plan(NIM, models__qwen={**other, "weights": {"source": "hub"}}, gateway=entrance)
    assert set(made.models) == {"qwen"}
    assert set(made.nims) == {"llama"}
