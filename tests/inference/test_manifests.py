"""Every object that a builder makes is one that a cluster would accept, and says what the model needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from inference.blueprint import Blueprint, GpuPoolPlan, design
from inference.manifests import accelerator_networks, endpoint_picker, gateway, nccl_installer, servers, vllm
from inference.stackfile import load
from tests.support.definitions import definitions_folder, problems
from tests.support.stacks import STANDING, edited, raw


def plan(stack: str, **edits: Any) -> Blueprint:
    return design(load(edited(stack, **edits), stack), stack)


def objects(blueprint: Blueprint) -> list[dict[str, Any]]:
    """Return all objects that the builders make for a stack."""
    made = [
        nccl_installer.daemon_set({"nvidia-h200-141gb"}, "amd64"),
        nccl_installer.daemon_set({"nvidia-gb200"}, "arm64"),
    ]
    for pool in blueprint.fabrics.values():
        assert pool.fabric is not None
        for name in pool.fabric.network_names:
            mode = accelerator_networks.device_mode(pool.fabric, name)
            made.append(accelerator_networks.param_set(name, vpc="vpc", subnet="subnet", mode=mode))
            made.append(accelerator_networks.network(name))
        made.append(accelerator_networks.claim_template(pool))
    for model in blueprint.models.values():
        made.append(servers.leader_worker_set(model) if model.multi_node else servers.deployment(model))
        made += [servers.service(model), servers.service_account(model), servers.pod_monitoring(model)]
        settings = blueprint.settings.gateway
        if settings is not None:
            made += [
                gateway.gateway(settings),
                gateway.inference_pool(model),
                gateway.route(model, settings, by_name=False),
            ]
            made += [gateway.health_check_policy(model), gateway.backend_policy(model, settings)]
            made += [
                endpoint_picker.service_account(model),
                endpoint_picker.role(model),
                endpoint_picker.role_binding(model),
            ]
            made += [endpoint_picker.config_map(model, settings.picker), endpoint_picker.service(model)]
            made.append(endpoint_picker.deployment(model, model.name, settings.picker))
    return made


@pytest.mark.parametrize("stack", STANDING)
def test_every_object_passes_strict_validation(stack: str) -> None:
    refused = [problem for manifest in objects(plan(stack)) for problem in problems(manifest)]
    assert not refused, "\n".join(refused)


def test_an_object_with_a_misspelled_field_is_refused_by_the_validation_itself() -> None:
    manifest = servers.deployment(plan("dev").models["qwen"])
    manifest["spec"]["replica"] = 1
    assert list(problems(manifest))


def test_every_pod_of_a_group_lists_all_rdma_networks_and_takes_all_gpus() -> None:
    group = servers.leader_worker_set(plan("prod").models["kimi"])["spec"]["leaderWorkerTemplate"]
    assert group["size"] == 2
    for template in (group["leaderTemplate"], group["workerTemplate"]):
        interfaces = json.loads(template["metadata"]["annotations"]["networking.gke.io/interfaces"])
        assert [entry["network"] for entry in interfaces] == ["default", *(f"rdma-{n}" for n in range(8))]
        assert [entry["interfaceName"] for entry in interfaces] == ["eth0", *(f"eth{n}" for n in range(2, 10))]
        (container,) = template["spec"]["containers"]
        assert container["resources"]["limits"] == {"nvidia.com/gpu": "8"}
        assert container["securityContext"]["capabilities"]["add"] == ["IPC_LOCK"]
        shm = next(volume for volume in template["spec"]["volumes"] if volume["name"] == "shm")
        assert shm["emptyDir"]["sizeLimit"].endswith("Gi")


def test_the_ranks_of_a_group_start_natively_with_the_environment_of_the_plugin() -> None:
    group = servers.leader_worker_set(plan("prod").models["kimi"])["spec"]["leaderWorkerTemplate"]
    leader, worker = (group[role]["spec"]["containers"][0]["args"][0] for role in ("leaderTemplate", "workerTemplate"))
    for script in (leader, worker):
        assert "source /usr/local/gib/scripts/set_nccl_env.sh\nexec vllm serve" in script
        assert (
            "--nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX) --master-addr $(LWS_LEADER_ADDRESS)" in script
        )
        assert "ray" not in script
    assert "--headless" in worker
    assert "--headless" not in leader


def test_only_leaders_answer_and_only_they_are_probed_and_selected() -> None:
    model = plan("prod").models["kimi"]
    group = servers.leader_worker_set(model)["spec"]["leaderWorkerTemplate"]
    worker = group["workerTemplate"]["spec"]["containers"][0]
    assert not {"readinessProbe", "livenessProbe", "startupProbe", "ports"} & worker.keys()
    selector = {"leaderworkerset.sigs.k8s.io/name": "kimi", "leaderworkerset.sigs.k8s.io/worker-index": "0"}
    assert selector.items() <= servers.service(model)["spec"]["selector"].items()
    assert selector.items() <= gateway.inference_pool(model)["spec"]["selector"]["matchLabels"].items()


def test_under_dranet_a_pod_claims_its_devices_and_lists_no_interface() -> None:
    blueprint = plan("prod", pools__h200__network="dranet")
    template = vllm.pod_template(blueprint.models["kimi"], "leader")
    assert not any(key.startswith("networking.gke.io/") for key in template["metadata"]["annotations"])
    pool = blueprint.pools["h200"]
    assert isinstance(pool, GpuPoolPlan)
    claim = accelerator_networks.claim_template(pool)
    assert template["spec"]["resourceClaims"] == [
        {"name": "rdma", "resourceClaimTemplateName": claim["metadata"]["name"]}
    ]
    assert template["spec"]["containers"][0]["resources"]["claims"] == [{"name": "rdma"}]
    assert claim["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] == 8


def test_a_pod_says_its_dtype_where_the_gpu_has_no_bfloat16() -> None:
    container = servers.deployment(plan("dev").models["qwen"])["spec"]["template"]["spec"]["containers"][0]
    words = container["args"]
    assert words[words.index("--dtype") + 1] == "half"
    assert container["command"] == ["vllm", "serve"]


def test_the_grace_period_outlasts_what_a_stopping_server_does() -> None:
    spec = servers.deployment(plan("dev").models["qwen"])["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    shutdown = int(container["args"][container["args"].index("--shutdown-timeout") + 1])
    assert spec["terminationGracePeriodSeconds"] > wait + shutdown


def test_an_option_that_is_true_stands_alone_and_one_that_is_false_is_negated() -> None:
    extra = {"--enable-prefix-caching": True, "--async-scheduling": False, "--block-size": 16}
    words = vllm.arguments(plan("dev", models__qwen__extraArgs=extra).models["qwen"], "single")
    assert words[-4:] == ["--enable-prefix-caching", "--no-async-scheduling", "--block-size", "16"]


def test_the_picker_weighs_its_scorers_as_the_stack_file_says() -> None:
    blueprint = plan("dev", gateway__picker={"weights": {"prefixCache": 5}})
    assert blueprint.settings.gateway is not None
    text = endpoint_picker.config_map(blueprint.models["qwen"], blueprint.settings.gateway.picker)["data"][
        "plugins.yaml"
    ]
    (profile,) = yaml.safe_load(text)["schedulingProfiles"]
    weights = {plugin["pluginRef"]: plugin.get("weight") for plugin in profile["plugins"]}
    assert weights == {
        "prefix-cache-scorer": 5,
        "kv-cache-utilization-scorer": 2,
        "queue-scorer": 2,
        "max-score-picker": None,
    }


def test_no_object_holds_a_secret_in_plain_text() -> None:
    config = raw("dev")
    config["models"]["qwen"]["model"] = "google/gemma-2b-it"
    config["models"]["qwen"]["contextLength"] = 2048
    config["models"]["qwen"]["weights"] = {"source": "hub", "token": {"secret": "hub-token"}}
    blueprint = design(load(config, "dev"), "dev")
    (container,) = servers.deployment(blueprint.models["qwen"])["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    for name in ("HF_TOKEN", "VLLM_API_KEY"):
        assert set(environment[name]) == {"name", "valueFrom"}
    assert set(blueprint.secrets) == {"model-api-key", "qwen-hub-token"}


@pytest.mark.skipif(definitions_folder() is None, reason="no folder with custom definitions is there")
def test_a_custom_object_with_a_misspelled_field_is_refused_too() -> None:
    manifest = gateway.health_check_policy(plan("dev").models["qwen"])
    manifest["spec"]["default"]["timeoutSeconds"] = 1
    assert list(problems(manifest))
