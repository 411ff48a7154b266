from __future__ import annotations

import pytest

from inference.rules import node_pools
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, NODE_POOL, cluster, custom, findings, node_pool, resource, workload

FITS = node_pools.accelerator_fits_machine
DRIVER = node_pools.driver_is_installed


def gpus(machine: object, kind: object, count: object = 1, **more: object) -> Resource:
    driver = {"gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
    accelerator = {"type": kind, "count": count, **driver, **more}
    return node_pool("gpus", {"nodeConfig": {"machineType": machine, "guestAccelerators": [accelerator]}})


# ---------------------------------------------------------------- accelerators


@pytest.mark.parametrize(
    ("machine", "kind", "count"),
    [
        ("g2-standard-4", "nvidia-l4", 1),
        ("g2-standard-96", "nvidia-l4", 8.0),
        ("a2-highgpu-2g", "nvidia-tesla-a100", "2"),
        ("a2-ultragpu-8g", "nvidia-a100-80gb", 8),
        ("a3-highgpu-1g", "nvidia-h100-80gb", 1),
        ("a3-edgegpu-8g", "nvidia-h100-80gb", 8),
        ("a3-megagpu-8g", "nvidia-h100-mega-80gb", 8),
        ("a3-ultragpu-8g-nolssd", "nvidia-h200-141gb", 8),
        ("a4-highgpu-8g", "nvidia-b200", 8),
        ("a4x-highgpu-4g", "nvidia-gb200", 4),
        ("g4-standard-48", "nvidia-rtx-pro-6000", 1),
        ("n1-standard-4", "nvidia-tesla-t4", 4),
        ("n1-highmem-8", "nvidia-tesla-v100", 2),
        ("custom-8-32768", "nvidia-tesla-t4", 1),
        ("a9-future-1g", "nvidia-x1", 1),
        (UNKNOWN, "nvidia-l4", 1),
        ("g2-standard-4", UNKNOWN, 1),
        ("g2-standard-4", "nvidia-l4", UNKNOWN),
    ],
)
def test_the_gpu_of_the_machine_is_silent(machine: object, kind: object, count: object) -> None:
    assert not findings(FITS, gpus(machine, kind, count))


@pytest.mark.parametrize(
    ("machine", "kind", "count", "words"),
    [
        ("g2-standard-24", "nvidia-l4", 1, "which has 2"),
        ("g2-standard-4", "nvidia-tesla-t4", 1, "comes with nvidia-l4"),
        ("a3-ultragpu-8g", "nvidia-h100-80gb", 8, "comes with nvidia-h200-141gb"),
        ("a3-ultragpu-8g-nolssd", "nvidia-h200-141gb", "4", "which has 8"),
        ("a3-megagpu-8g", "nvidia-h100-80gb", 8.0, "comes with nvidia-h100-mega-80gb"),
        ("a2-ultragpu-1g", "nvidia-tesla-a100", 1, "comes with nvidia-a100-80gb"),
        ("a4x-highgpu-4g", "nvidia-b200", 4, "comes with nvidia-gb200"),
        ("n1-standard-4", "nvidia-tesla-t4", 3, "takes 1 or 2 or 4"),
        ("n1-standard-64", "nvidia-tesla-t4", 1, "at most 48"),
        ("n1-standard-4", "nvidia-l4", 1, "N1 takes"),
        ("n1-standard-4", "nvidia-t4", 1, "N1 takes"),
        ("e2-standard-4", "nvidia-tesla-t4", 1, "takes no GPU"),
        ("n2-standard-8", "nvidia-tesla-v100", 1, "takes no GPU"),
        ("ct6e-standard-4t", "nvidia-l4", 1, "TPU machine"),
        (None, "nvidia-tesla-t4", 1, "no machine type"),
    ],
)
def test_a_gpu_that_the_machine_does_not_have_is_found(machine: object, kind: str, count: object, words: str) -> None:
    found = findings(FITS, gpus(machine, kind, count))
    assert len(found) == 1, found
    assert words in found[0]


def test_a_gpu_of_a_pool_inside_a_cluster_is_judged() -> None:
    config = {"machineType": "g2-standard-4", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]}
    assert findings(FITS, resource(CLUSTER, "c", {"nodePools": [{"name": "x", "nodeConfig": config}]}))
    assert findings(FITS, resource(CLUSTER, "c", {"nodeConfig": config}))
    assert not findings(FITS, resource(CLUSTER, "c", {"nodeConfig": config, "removeDefaultNodePool": True}))


# ---------------------------------------------------------------- driver


@pytest.mark.parametrize("version", ["LATEST", "DEFAULT", UNKNOWN])
def test_a_chosen_driver_is_silent(version: object) -> None:
    chosen = gpus("g2-standard-4", "nvidia-l4", gpuDriverInstallationConfig={"gpuDriverVersion": version})
    assert not findings(DRIVER, chosen, cluster())


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "does not say"),
        ({}, "does not say"),
        ({"gpuDriverVersion": "GPU_DRIVER_VERSION_UNSPECIFIED"}, "does not say"),
        ({"gpuDriverVersion": "INSTALLATION_DISABLED"}, "disables"),
        ({"gpuDriverVersion": "latest"}, "does not know"),
    ],
)
def test_a_driver_that_nobody_installs_is_found(config: object, words: str) -> None:
    found = findings(DRIVER, gpus("g2-standard-4", "nvidia-l4", gpuDriverInstallationConfig=config), cluster())
    assert len(found) == 1
    assert words in found[0]


def test_a_gpu_machine_without_accelerators_is_found() -> None:
    assert findings(DRIVER, node_pool("x", {"nodeConfig": {"guestAccelerators": None}}))
    assert not findings(DRIVER, node_pool("x", {"nodeConfig": {"guestAccelerators": UNKNOWN}}))
    plain = node_pool("x", {"nodeConfig": {"guestAccelerators": None, "machineType": "e2-standard-4"}})
    assert not findings(DRIVER, plain)


def _daemon_set(name: str, image: str) -> Resource:
    spec = {"template": {"spec": {"containers": [{"name": "installer", "image": image}]}}}
    return workload("kubernetes:apps/v1:DaemonSet", "apps/v1", "DaemonSet", name, spec, None)


@pytest.mark.parametrize(
    "installer",
    [
        resource("kubernetes:helm.sh/v3:Release", "op", {"chart": "gpu-operator", "namespace": "gpu-operator"}),
        resource("kubernetes:helm.sh/v3:Chart", "gpu-operator", {}),
        resource("kubernetes:yaml:ConfigFile", "d", {"file": "https://x/nvidia-driver-installer/cos/daemonset.yaml"}),
        _daemon_set("nvidia-driver-installer", "cos-nvidia-installer:fixed"),
        custom("nvidia.com/v1", "ClusterPolicy", "policy", {}),
    ],
)
def test_a_driver_that_the_program_installs_itself_is_silent(installer: Resource) -> None:
    disabled = {"gpuDriverVersion": "INSTALLATION_DISABLED"}
    pool = gpus("g2-standard-4", "nvidia-l4", gpuDriverInstallationConfig=disabled)
    assert findings(DRIVER, pool)
    assert not findings(DRIVER, pool, installer)


def test_the_nccl_installer_is_no_driver() -> None:
    disabled = gpus(
        "g2-standard-4", "nvidia-l4", gpuDriverInstallationConfig={"gpuDriverVersion": "INSTALLATION_DISABLED"}
    )
    assert findings(DRIVER, disabled, _daemon_set("nccl-rdma-installer", "nccl-plugin-gib:v1"))


def test_secure_boot_with_a_foreign_driver_is_found() -> None:
    rule = node_pools.secure_boot_allows_driver

    def pool(version: object, secure: object) -> Resource:
        accelerator = {"type": "nvidia-l4", "count": 1, "gpuDriverInstallationConfig": {"gpuDriverVersion": version}}
        shielded = {"shieldedInstanceConfig": {"enableSecureBoot": secure}}
        return node_pool("x", {"nodeConfig": {"guestAccelerators": [accelerator], **shielded}})

    assert findings(rule, pool("INSTALLATION_DISABLED", True))
    assert findings(rule, pool("INSTALLATION_DISABLED", "true"))
    for version, secure in (("LATEST", True), ("INSTALLATION_DISABLED", False), ("INSTALLATION_DISABLED", UNKNOWN)):
        assert not findings(rule, pool(version, secure))


# ---------------------------------------------------------------- size

PER_ZONE = {"totalMinNodeCount": None, "totalMaxNodeCount": None}


@pytest.mark.parametrize(
    "props",
    [
        {"autoscaling": {"totalMinNodeCount": 3}},
        {"autoscaling": {**PER_ZONE, "minNodeCount": "3", "maxNodeCount": 2.0}},
        {"autoscaling": {"maxNodeCount": 2}},
        {"initialNodeCount": 3},
        {"initialNodeCount": 3, "autoscaling": {**PER_ZONE, "minNodeCount": 0, "maxNodeCount": 2}},
    ],
)
def test_limits_that_contradict_each_other_are_found(props: dict) -> None:
    assert len(findings(node_pools.limits_agree, node_pool("x", props))) == 1


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"autoscaling": {**PER_ZONE, "minNodeCount": 2, "maxNodeCount": 2}, "initialNodeCount": 2},
        {"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 0, "minNodeCount": 0, "maxNodeCount": 2}},
        {"autoscaling": UNKNOWN, "initialNodeCount": 5},
        {"autoscaling": {"totalMinNodeCount": UNKNOWN}},
        {"autoscaling": None, "nodeCount": 3},
    ],
)
def test_limits_that_agree_are_silent(props: dict) -> None:
    assert not findings(node_pools.limits_agree, node_pool("x", props))


def test_a_size_with_two_owners_is_found() -> None:
    rule = node_pools.size_has_one_owner
    assert "autoscaling" in findings(rule, node_pool("x", {"nodeCount": 2.0}))[0]
    assert (
        "initialNodeCount"
        in findings(rule, node_pool("x", {"autoscaling": None, "nodeCount": 1, "initialNodeCount": 1}))[0]
    )


def test_a_size_with_one_owner_is_silent() -> None:
    rule = node_pools.size_has_one_owner
    assert not findings(rule, node_pool("x", {"initialNodeCount": 1}))
    assert not findings(rule, node_pool("x", {"autoscaling": None, "nodeCount": 1}))
    for spelling in ("nodeCount", "node_count", '["nodeCount"]', "*"):
        assert not findings(
            rule, node_pool("x", {"nodeCount": 1}, options={"protect": False, "ignoreChanges": [spelling]})
        )
    assert not findings(rule, node_pool("x", {"nodeCount": UNKNOWN}))


@pytest.mark.parametrize(
    ("count", "found"), [(7, True), (257.0, True), (8, False), (256, False), (None, False), (UNKNOWN, False)]
)
def test_pods_of_a_node_are_within_bounds(count: object, found: bool) -> None:
    assert bool(findings(node_pools.max_pods_is_possible, node_pool("x", {"maxPodsPerNode": count}))) is found
    assert (
        bool(findings(node_pools.cluster_max_pods_is_possible, cluster(props={"defaultMaxPodsPerNode": count})))
        is found
    )


# ---------------------------------------------------------------- upgrades

RESERVED = {"reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}}
SPARE = node_pools.upgrade_needs_no_spare


@pytest.mark.parametrize("settings", [{"maxSurge": 0, "maxUnavailable": 0}, {"maxSurge": "0", "maxUnavailable": None}])
@pytest.mark.parametrize("machine", ["e2-standard-4", "g2-standard-12"])
def test_an_upgrade_that_can_take_no_step_is_found(machine: str, settings: dict) -> None:
    pool = node_pool("x", {"nodeConfig": {"machineType": machine}, "upgradeSettings": settings})
    assert findings(node_pools.upgrade_is_possible, pool)


@pytest.mark.parametrize(
    "settings",
    [
        {"maxSurge": 0, "maxUnavailable": 1},
        {"maxSurge": 1, "maxUnavailable": 0},
        None,
        {"maxSurge": 0, "maxUnavailable": UNKNOWN},
        {"strategy": "BLUE_GREEN", "maxSurge": 0, "maxUnavailable": 0},
    ],
)
def test_an_upgrade_that_can_take_a_step_is_silent(settings: object) -> None:
    assert not findings(node_pools.upgrade_is_possible, node_pool("x", {"upgradeSettings": settings}))


@pytest.mark.parametrize(
    "settings",
    [
        None,
        {"strategy": "SURGE", "maxSurge": None, "maxUnavailable": None},
        {"maxSurge": 1.0, "maxUnavailable": 0},
        {"strategy": "BLUE_GREEN"},
    ],
)
@pytest.mark.parametrize("machine", ["g2-standard-12", "ct6e-standard-4t"])
def test_a_spare_beyond_a_reservation_is_found(machine: str, settings: object) -> None:
    config = {"machineType": machine, **RESERVED, **({} if machine.startswith("g2") else {"guestAccelerators": None})}
    assert len(findings(SPARE, node_pool("x", {"nodeConfig": config, "upgradeSettings": settings}))) == 1


def test_a_second_set_of_scarce_nodes_is_found() -> None:
    h100 = {"machineType": "a3-megagpu-8g", "guestAccelerators": None}
    assert findings(SPARE, node_pool("x", {"nodeConfig": h100, "upgradeSettings": {"strategy": "BLUE_GREEN"}}))


def test_upgrades_with_what_is_there_are_silent() -> None:
    assert not findings(SPARE, node_pool("x", {"nodeConfig": RESERVED}))
    assert not findings(SPARE, node_pool("x", {"upgradeSettings": {"maxSurge": 1}}))
    assert not findings(SPARE, node_pool("x", {"upgradeSettings": {"strategy": "BLUE_GREEN"}}))
    assert not findings(SPARE, node_pool("x", {"nodeConfig": RESERVED, "upgradeSettings": UNKNOWN}))
    cpu = {"machineType": "e2-standard-4", "guestAccelerators": None, **RESERVED}
    assert not findings(SPARE, node_pool("x", {"nodeConfig": cpu, "upgradeSettings": None}))


@pytest.mark.parametrize(
    "machine", ["a3-ultragpu-4g", "a4-highgpu-4g", "g2-standard-6", "ct6e-standard-2t", "a2-highgpu-3g"]
)
def test_a_machine_type_that_its_family_lacks_is_found(machine: str) -> None:
    assert len(findings(node_pools.machine_type_exists, node_pool(props={"nodeConfig": {"machineType": machine}}))) == 1


@pytest.mark.parametrize(
    "machine",
    [
        "a3-ultragpu-8g-nolssd",
        "ct5lp-hightpu-1t",
        "tpu7x-standard-4t",
        "n1-standard-7",
        "a9-future-1g",
        "g4-standard-6",
        "",
        None,
        UNKNOWN,
    ],
)
def test_machine_types_that_exist_or_are_of_other_families_are_silent(machine: object) -> None:
    pool = node_pool(props={"nodeConfig": {"machineType": machine}})
    assert not findings(node_pools.machine_type_exists, pool)


def test_the_latest_driver_on_ubuntu_is_found() -> None:
    ubuntu = node_pool(props={"nodeConfig": {"imageType": "ubuntu_containerd"}})
    assert "DEFAULT" in findings(node_pools.driver_is_installed, ubuntu)[0]
    assert not findings(
        node_pools.driver_is_installed, node_pool(props={"nodeConfig": {"imageType": "COS_CONTAINERD"}})
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"minNodeCount": 0, "maxNodeCount": 0},
        {"totalMinNodeCount": 0},
        {"locationPolicy": "ANY"},
        {"maxNodeCount": "0"},
    ],
)
def test_an_autoscaler_without_a_maximum_is_found(limits: dict) -> None:
    pool = node_pool(props={"autoscaling": None})
    assert not findings(node_pools.limits_agree, pool)
    other = resource(NODE_POOL, "x", {"autoscaling": limits})
    assert "no maximum" in findings(node_pools.limits_agree, other)[0]


def test_a_maximum_that_is_not_known_or_an_empty_block_is_silent() -> None:
    for limits in (
        {"maxNodeCount": UNKNOWN},
        {"totalMaxNodeCount": 3},
        {},
        UNKNOWN,
        {"maxNodeCount": 2, "totalMaxNodeCount": 0},
    ):
        assert not findings(node_pools.limits_agree, resource(NODE_POOL, "x", {"autoscaling": limits})), limits


def test_the_state_of_a_pool_shows_both_counts_and_is_silent() -> None:
    state = {"nodeCount": 1, "initialNodeCount": 1, "instanceGroupUrls": ["https://x"]}
    assert not findings(node_pools.size_has_one_owner, node_pool(props=state))
    assert findings(node_pools.size_has_one_owner, node_pool(props={"nodeCount": 1}))


def test_zeros_that_the_state_shows_are_no_counts_of_pods() -> None:
    assert not findings(node_pools.max_pods_is_possible, node_pool(props={"maxPodsPerNode": 0}))
    assert not findings(node_pools.cluster_max_pods_is_possible, cluster(props={"defaultMaxPodsPerNode": 0}))
