from __future__ import annotations

from typing import Any

import pytest

from inference.rules.charts import manifests_pinned
from inference.rules.nccl_installers import (
    fast_socket_stands_apart,
    installer_selects_its_gpus,
    installer_tolerates_taints,
    installers_fit_pools,
    plugin_goes_with_server,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, container, deployment, findings, node_pool, resource
from tests.inference.rules.fabric_cases import gpu_pool, group, host_cluster, installer, that

REGISTRY = "us-docker.pkg.dev/gce-ai-infra"
GIB = f"{REGISTRY}/gpudirect-gib/nccl-plugin-gib"
TCPXO = f"{REGISTRY}/gpudirect-tcpxo/nccl-plugin-gpudirecttcpx-dev"
H200, GB200, MEGA = "nvidia-h200-141gb", "nvidia-gb200", "nvidia-h100-mega-80gb"
RAW = "https://raw.githubusercontent.com/GoogleCloudPlatform/container-engine-accelerators"
COMMIT = "992db8125755e7c8a2c0bd0a5b3a2c5b1b0d9f1e"
CONFIG_FILE = "kubernetes:yaml/v2:ConfigFile"
NO_MOUNTS: dict[str, list[str]] = {"volumes": []}


def manifest(address: str, type_: str = CONFIG_FILE, key: str = "file", name: str = "nccl") -> Resource:
    return resource(type_, name, {key: [address] if key == "files" else address})


# the right plugin for the GPUs


@pytest.mark.parametrize(
    ("image", "gpus", "right"),
    [
        (f"{GIB}:v1.1.2", [GB200], "nccl-plugin-gib-arm64"),
        (f"{GIB}-arm64:v1.1.2", [H200], "nccl-plugin-gib for"),
        (f"{GIB}:v1.1.2", [H200, MEGA], "gpudirect-tcpxo"),
        (f"{TCPXO}:v1.0.15", ["nvidia-h100-80gb"], "gpudirect-tcpx/"),
        ("europe-docker.pkg.dev/team/mirror/nccl-plugin-gib@sha256:aa", ["nvidia-gb300"], "Leave these nodes out"),
    ],
)
def test_an_installer_for_other_gpus_than_its_plugin_s_is_found(image: str, gpus: list[str], right: str) -> None:
    [message] = findings(installer_selects_its_gpus, installer(image=image, gpus=gpus))

    assert right in message


@pytest.mark.parametrize(
    "made",
    [
        installer(),
        installer(image=f"{GIB}-arm64:v1.1.0", gpus=[GB200]),
        installer(image=f"{TCPXO}:v1.0.15", gpus=[MEGA]),
        installer(pod={"affinity": None}),
        installer(image="gcr.io/gke-release/fastsocket-installer", gpus=[GB200]),
        installer(image=f"{GIB}-diagnostic:v1.1.2", gpus=[GB200]),
        deployment(pod={"initContainers": [{"name": "gib", "image": f"{GIB}:v1.1.2"}], "nodeSelector": {"x": GB200}}),
    ],
)
def test_an_installer_for_its_own_gpus_or_another_workload_is_silent(made: Resource) -> None:
    assert findings(installer_selects_its_gpus, made) == []


@pytest.mark.parametrize(
    "tolerations", [None, [], [{"key": "nvidia.com/gpu", "value": "absent"}], [{"key": "x", "operator": "Exists"}]]
)
def test_an_installer_that_does_not_tolerate_gpu_nodes_is_found(tolerations: Any) -> None:
    [message] = findings(installer_tolerates_taints, installer(pod={"tolerations": tolerations}))

    assert "nvidia.com/gpu=present:NoSchedule" in message


def test_an_installer_for_arm_nodes_tolerates_arm_as_well() -> None:
    gpu_only = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    made = installer(image=f"{GIB}-arm64:v1.1.0", gpus=[GB200], pod={"tolerations": gpu_only})

    [message] = findings(installer_tolerates_taints, made)

    assert "kubernetes.io/arch=arm64" in message


@pytest.mark.parametrize(
    "tolerations",
    [[{"operator": "Exists"}], [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}], UNKNOWN],
)
def test_an_installer_that_tolerates_gpu_nodes_is_silent(tolerations: Any) -> None:
    assert findings(installer_tolerates_taints, installer(pod={"tolerations": tolerations})) == []


# installers and pools


def test_an_installer_that_selects_no_pool_is_found() -> None:
    said = that(installers_fit_pools, installer=installer(image=f"{GIB}-arm64:v1.1.0", gpus=[GB200]))

    assert any("DESIRED 0" in message for message in said)
    assert any("nothing installs an NCCL plugin" in message for message in said)


def test_an_installer_whose_selector_misses_the_pool_by_name_is_found() -> None:
    wrong = installer(pod={"nodeSelector": {"cloud.google.com/gke-nodepool": "gpu-pool"}})

    [message] = that(installers_fit_pools, installer=wrong)

    assert "DESIRED 0" in message


def test_two_installers_for_the_same_gpus_are_found() -> None:
    [message] = that(installers_fit_pools, second=installer("again"))

    assert '"again" installs an NCCL plugin' in message


def test_an_installer_and_the_same_one_from_an_address_are_found() -> None:
    second = manifest(f"{RAW}/{COMMIT}/gpudirect-rdma/nccl-rdma-installer.yaml")

    assert len(that(installers_fit_pools, second=second)) == 1


def test_a_group_whose_nodes_get_no_plugin_is_found() -> None:
    said = that(installers_fit_pools, installer=None)

    assert len(said) == 2
    assert H200 in said[0]


def test_a_group_whose_installer_of_an_address_is_for_other_gpus_is_found() -> None:
    wrong = manifest(f"{RAW}/{COMMIT}/gpudirect-tcpxo/nccl-tcpxo-installer.yaml")

    said = that(installers_fit_pools, installer=wrong)

    assert any(f"there is one for {MEGA}" in message for message in said)
    assert any(f"on nodes with {MEGA}, and the pools with a fabric have {H200}" in message for message in said)


@pytest.mark.parametrize("name", ["nccl-rdma-installer-a4x.yaml", "nccl-tcpx-installer.yaml"])
def test_an_installer_of_an_address_for_gpus_that_no_pool_has_is_found_without_any_group(name: str) -> None:
    wrong = manifest(f"{RAW}/{COMMIT}/gpudirect/{name}")

    assert "DESIRED 0" in that(installers_fit_pools, installer=wrong, group=None)[0]


@pytest.mark.parametrize("type_", [CONFIG_FILE, "kubernetes:yaml:ConfigFile"])
def test_an_installer_from_an_address_with_its_own_child_is_silent(type_: str) -> None:
    parent = manifest(f"{RAW}/{COMMIT}/gpudirect-rdma/nccl-rdma-installer.yaml", type_)

    assert that(installers_fit_pools, installer=parent) == []
    assert that(installers_fit_pools, parent=parent, installer=installer(parent=parent)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"installer": None, "group": group(pod={"initContainers": [{"name": "gib", "image": f"{GIB}:v1.1.2"}]})},
        {"installer": None, "group": group({"image": "europe-docker.pkg.dev/team/vllm-gib:1"}, pod=NO_MOUNTS)},
        {"installer": None, "group": group({"image": UNKNOWN}, pod=NO_MOUNTS)},
        {"installer": None, "pool": None},
        {"installer": None, "cluster": None},
        {"installer": None, "group": group(size=1)},
        {"installer": resource("kubernetes:helm.sh/v3:Release", "nccl", {"chart": "nccl-plugins", "version": "1.0.0"})},
        {"installer": manifest("./manifests/nccl.yaml")},
        {"installer": installer("nccl-plugin", image="team/own-plugin:1")},
        {"pool": gpu_pool(props={"nodeConfig": {"machineType": UNKNOWN, "guestAccelerators": UNKNOWN}})},
        {
            "second": installer("mega", image=f"{TCPXO}:v1.0.15", gpus=[MEGA]),
            "mega": gpu_pool("a3-megagpu-8g", MEGA, []),
        },
    ],
)
def test_installers_that_fit_their_pools_are_silent(changes: dict[str, Resource | None]) -> None:
    assert that(installers_fit_pools, **changes) == []


def test_an_installer_in_a_cluster_that_makes_pools_by_itself_is_silent() -> None:
    made = host_cluster({"clusterAutoscaling": {"enabled": True}})
    other = installer("arm", image=f"{GIB}-arm64:v1.1.0", gpus=[GB200])

    assert that(installers_fit_pools, cluster=made, other=other) == []


def test_an_installer_before_any_gpu_pool_is_silent() -> None:
    assert findings(installers_fit_pools, cluster(), installer(), node_pool()) == []


# Fast Socket


@pytest.mark.parametrize(
    "config",
    [
        {"fastSocket": {"enabled": True}},
        {"fastSocket": {"enabled": "true"}},
        {"labels": {"cloud.google.com/gke-nccl-fastsocket": "true"}},
    ],
)
def test_fast_socket_beside_a_fabric_is_found(config: dict[str, Any]) -> None:
    assert len(findings(fast_socket_stands_apart, gpu_pool(props={"nodeConfig": config}))) == 1


def test_fast_socket_without_gvnic_is_found() -> None:
    config = {"fastSocket": {"enabled": True}, "gvnic": {"enabled": False}}

    assert "gVNIC off" in findings(fast_socket_stands_apart, node_pool(props={"nodeConfig": config}))[0]


@pytest.mark.parametrize(
    "made",
    [
        gpu_pool(props={"nodeConfig": {"fastSocket": {"enabled": False}}}),
        gpu_pool(props={"nodeConfig": {"fastSocket": {"enabled": UNKNOWN}}}),
        node_pool(props={"nodeConfig": {"fastSocket": {"enabled": True}, "gvnic": {"enabled": True}}}),
        gpu_pool(props={"nodeConfig": {"fastSocket": {"enabled": True}, "machineType": UNKNOWN}}),
    ],
)
def test_fast_socket_where_it_belongs_is_silent(made: Resource) -> None:
    assert findings(fast_socket_stands_apart, made) == []


# versions


def with_gib(tag: str, image: str = "vllm/vllm-openai:v0.32.0") -> Resource:
    return deployment(
        containers=[container({"image": image})],
        pod={"initContainers": [{"name": "nccl", "image": f"{GIB}:{tag}", "command": ["install"]}]},
    )


@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:v0.11.0", "vllm/vllm-openai:v0.32.0-cu129"]
)
@pytest.mark.parametrize("tag", ["v1.0.7", "v1.0.3"])
def test_an_old_plugin_in_the_pod_of_a_new_server_is_found(image: str, tag: str) -> None:
    [message] = findings(plugin_goes_with_server, with_gib(tag, image))

    assert "gIB v1.1.0" in message


def test_an_old_plugin_on_the_nodes_of_a_new_server_is_found() -> None:
    said = that(plugin_goes_with_server, installer=installer(image=f"{GIB}:v1.0.7"))

    assert len(said) == 2
    assert "on its nodes" in said[0]


def test_a_cuda_12_plugin_with_a_cuda_13_server_is_found() -> None:
    init = {"name": "nccl", "image": f"{TCPXO}:v1.0.15", "command": ["install"]}

    assert len(findings(plugin_goes_with_server, deployment(pod={"initContainers": [init]}))) == 1


@pytest.mark.parametrize(
    "made",
    [
        with_gib("v1.1.2"),
        with_gib("v1.1.0"),
        with_gib("v1.0.7", "vllm/vllm-openai:v0.10.2"),
        with_gib("v1.0.7", "vllm/vllm-openai:latest"),
        with_gib("latest"),
        deployment(
            containers=[container({"image": "vllm/vllm-openai:v0.32.0-cu129"})],
            pod={"initContainers": [{"name": "nccl", "image": f"{TCPXO}:v1.0.15", "command": ["install"]}]},
        ),
        deployment(pod={"initContainers": [{"name": "nccl", "image": f"{TCPXO}:v1.0.17", "command": ["install"]}]}),
    ],
)
def test_versions_that_go_together_or_are_not_known_are_silent(made: Resource) -> None:
    assert findings(plugin_goes_with_server, made) == []


def test_an_old_plugin_on_nodes_of_other_servers_is_silent() -> None:
    elsewhere = deployment(pod={"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}})

    assert that(plugin_goes_with_server, installer=installer(image=f"{GIB}:v1.0.7"), group=elsewhere) == []


# manifests from an address


@pytest.mark.parametrize(
    ("address", "branch"),
    [
        (f"{RAW}/master/gpudirect-rdma/nccl-rdma-installer.yaml", "master"),
        (f"{RAW}/refs/heads/master/gpudirect-rdma/nccl-rdma-installer.yaml", "master"),
        (f"{RAW}/refs/heads/release-1/x.yaml", "release-1"),
        (f"{RAW}/HEAD/x.yaml", "HEAD"),
        ("https://github.com/kubernetes-sigs/lws/raw/main/manifests.yaml", "main"),
        ("https://github.com/kubernetes-sigs/lws/releases/latest/download/manifests.yaml", "latest"),
        ("https://cdn.jsdelivr.net/gh/org/repo@main/x.yaml", "main"),
        ("https://gitlab.com/group/sub/repo/-/raw/main/x.yaml", "main"),
        ("github.com/kubernetes-sigs/gateway-api/config/crd?ref=main", "main"),
        ("https://github.com/kubernetes-sigs/gateway-api//config/crd", "HEAD"),
        ("git@github.com:org/repo//deploy?ref=master", "master"),
    ],
)
def test_a_manifest_from_a_branch_is_found(address: str, branch: str) -> None:
    for made in (
        manifest(address),
        manifest(address, "kubernetes:yaml:ConfigFile"),
        manifest(address, "kubernetes:yaml:ConfigGroup", "files"),
        manifest(address, "kubernetes:yaml/v2:ConfigGroup", "files"),
        manifest(address, "kubernetes:kustomize:Directory", "directory"),
        resource("kubernetes:yaml:ConfigFile", address, {}),
        resource("command:local:Command", "apply", {"create": f"kubectl apply -f '{address}'"}),
    ):
        [message] = findings(manifests_pinned, made)
        assert ("the latest release" if branch == "latest" else f'the branch "{branch}"') in message


@pytest.mark.parametrize(
    "address",
    [
        f"{RAW}/{COMMIT}/gpudirect-rdma/nccl-rdma-installer.yaml",
        f"{RAW}/{COMMIT}/main/master/x.yaml",
        f"{RAW}/v1.2.3/x.yaml",
        f"{RAW}/refs/tags/main/x.yaml",
        "https://github.com/kubernetes-sigs/lws/releases/download/v0.10.0/manifests.yaml",
        "github.com/kubernetes-sigs/gateway-api/config/crd?ref=v1.6.1",
        "https://github.com/kubernetes-sigs/gateway-api//config/crd?timeout=90s&ref=v1.6.1",
        "https://example.com/main/install.yaml",
        "./manifests/master/installer.yaml",
        "https://github.com/org/repo",
    ],
)
def test_a_manifest_from_a_tag_or_commit_or_elsewhere_is_silent(address: str) -> None:
    for made in (
        manifest(address),
        manifest(address, "kubernetes:yaml:ConfigGroup", "files"),
        resource("kubernetes:yaml:ConfigFile", address, {}),
        resource("command:local:Command", "apply", {"create": f"kubectl apply -f {address}"}),
    ):
        assert findings(manifests_pinned, made) == []


@pytest.mark.parametrize("props", [{"file": UNKNOWN}, {"files": 5}, {"files": [UNKNOWN, None]}, {"file": {"a": 1}}])
def test_addresses_that_are_not_known_are_silent(props: dict[str, Any]) -> None:
    assert findings(manifests_pinned, resource(CONFIG_FILE, "x", props)) == []
