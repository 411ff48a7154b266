from __future__ import annotations

import pytest

from inference.rules import disks
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, deployment, findings, leader_worker_set, node_pool, workload

BOOT = disks.boot_type_fits_machine
VOLUME = disks.volume_type_fits_node
SSDS = disks.local_ssds_fit_machine


def machine(name: str, config: dict | None = None) -> Resource:
    return node_pool("gpus", {"nodeConfig": {"machineType": name, "guestAccelerators": None, **(config or {})}})


# ---------------------------------------------------------------- boot disks


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("a4x-highgpu-4g", "pd-balanced"),
        ("a4-highgpu-8g", "pd-ssd"),
        ("a3-ultragpu-8g", "pd-balanced"),
        ("a3-megagpu-8g", "pd-standard"),
        ("a3-highgpu-8g", "pd-standard"),
        ("n4-standard-4", "pd-balanced"),
        ("c4-standard-8", "pd-ssd"),
        ("ct6e-standard-4t", "pd-balanced"),
        ("tpu7x-standard-4t", "pd-ssd"),
    ],
)
@pytest.mark.parametrize("field", ["diskType", "bootDisk"])
def test_a_boot_disk_that_the_machine_does_not_take_is_found(name: str, disk: str, field: str) -> None:
    config = {"diskType": disk} if field == "diskType" else {"diskType": None, "bootDisk": {"diskType": disk}}
    found = findings(BOOT, machine(name, config))
    assert len(found) == 1
    assert disk in found[0]


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("a4x-highgpu-4g", "hyperdisk-balanced"),
        ("a3-megagpu-8g", "pd-ssd"),
        ("g2-standard-12", "pd-balanced"),
        ("ct6e-standard-4t", "hyperdisk-balanced"),
        ("ct5lp-hightpu-4t", "pd-balanced"),
        ("a9-future-8g", "pd-standard"),
        ("a4x-highgpu-4g", None),
        ("a4x-highgpu-4g", UNKNOWN),
    ],
)
def test_a_boot_disk_that_fits_is_silent(name: str, disk: object) -> None:
    assert not findings(BOOT, machine(name, {"diskType": disk}))


# ---------------------------------------------------------------- volumes


def claim(storage_class: object = None, name: str = "cache", **spec: object) -> Resource:
    base = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Gi"}}, **spec}
    if storage_class is not None:
        base["storageClassName"] = storage_class
    return workload("kubernetes:core/v1:PersistentVolumeClaim", "v1", "PersistentVolumeClaim", name, base, None)


def storage_class(name: str, disk: object, provisioner: str = "pd.csi.storage.gke.io", **metadata: object) -> Resource:
    parameters = {} if disk is None else {"type": disk}
    props = {"metadata": metadata, "provisioner": provisioner, "parameters": parameters}
    return workload("kubernetes:storage.k8s.io/v1:StorageClass", "storage.k8s.io/v1", "StorageClass", name, {}, props)


MOUNT = {"volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}]}
H200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}
ULTRA = {"machineType": "a3-ultragpu-8g", "guestAccelerators": None, "diskType": "hyperdisk-balanced"}


@pytest.mark.parametrize("named", [None, "standard-rwo", "premium-rwo", "standard"])
def test_a_persistent_disk_on_a_hyperdisk_machine_is_found(named: object) -> None:
    pool = node_pool("h200", {"nodeConfig": ULTRA})
    found = findings(VOLUME, cluster(), pool, claim(named), deployment(pod=MOUNT))
    assert len(found) == 1
    assert '"cache"' in found[0]


def test_a_gpu_that_is_only_on_hyperdisk_machines_is_enough() -> None:
    assert findings(VOLUME, claim(), deployment(pod={**MOUNT, **H200}))
    workers = leader_worker_set(leader={**MOUNT, **H200}, worker={**MOUNT, **H200})
    assert len(findings(VOLUME, claim("standard-rwo"), workers)) == 2


def test_claims_inside_a_workload_are_judged() -> None:
    inside = {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["x"]}}}}]}
    assert findings(VOLUME, deployment(pod={**inside, **H200}))
    template = {"metadata": {"name": "model-store"}, "spec": {"storageClassName": "premium-rwo"}}
    pod = {"spec": {"containers": [{"name": "nim", "image": "nim:1"}], **H200}}
    spec = {"volumeClaimTemplates": [template], "template": pod}
    assert findings(VOLUME, workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "nim", spec, None))


def test_a_declared_class_is_read() -> None:
    running = deployment(pod={**MOUNT, **H200})
    assert findings(VOLUME, running, claim("fast"), storage_class("fast", "pd-ssd"))
    assert findings(VOLUME, running, claim("fast"), storage_class("fast", None))
    assert not findings(VOLUME, running, claim("fast"), storage_class("fast", "hyperdisk-balanced"))
    assert not findings(VOLUME, running, claim("fast"), storage_class("fast", None, "filestore.csi.storage.gke.io"))
    assert not findings(VOLUME, running, claim("fast"), storage_class("fast", UNKNOWN))
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    assert not findings(VOLUME, running, claim(), storage_class("ml", "hyperdisk-balanced", **default))


def test_volumes_that_attach_are_silent() -> None:
    l4 = deployment(pod={**MOUNT, "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}})
    assert not findings(VOLUME, cluster(), node_pool(), claim("standard-rwo"), l4)
    running = deployment(pod={**MOUNT, **H200})
    assert not findings(VOLUME, running)
    assert not findings(VOLUME, running, claim("of-another-program"))
    assert not findings(VOLUME, running, claim(""))
    assert not findings(VOLUME, running, claim(volumeName="made-before"))
    assert not findings(VOLUME, running, claim(UNKNOWN))
    mixed = (node_pool("h200", {"nodeConfig": ULTRA}), node_pool("l4"))
    assert not findings(VOLUME, cluster(), *mixed, claim(), deployment(pod=MOUNT))


def test_a_claim_of_another_namespace_is_not_meant() -> None:
    elsewhere = claim()
    elsewhere.props.raw("metadata")["namespace"] = "other"
    assert not findings(VOLUME, elsewhere, deployment(pod={**MOUNT, **H200}))


# ---------------------------------------------------------------- local SSDs


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("a3-megagpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 8}}),
        ("a3-megagpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 17.0}}),
        ("a3-ultragpu-8g-nolssd", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 32}}),
        ("a2-ultragpu-1g", {"localNvmeSsdBlockConfig": {"localSsdCount": 2}}),
        ("g2-standard-12", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": "2"}}),
        ("g2-standard-24", {"localSsdCount": 4}),
        ("g2-standard-24", {"ephemeralStorageConfig": {"localSsdCount": 3}}),
    ],
)
def test_local_ssds_that_the_machine_does_not_have_are_found(name: str, config: dict) -> None:
    assert len(findings(SSDS, machine(name, config))) == 1


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("a3-megagpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 16}}),
        ("a3-ultragpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 24, "dataCacheCount": 8}}),
        ("a3-ultragpu-8g", {}),
        ("a3-ultragpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 0}}),
        ("g2-standard-96", {"localNvmeSsdBlockConfig": {"localSsdCount": 8}}),
        ("n1-standard-8", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 8}}),
        ("a3-megagpu-8g", {"ephemeralStorageLocalSsdConfig": {"localSsdCount": UNKNOWN}}),
        (UNKNOWN, {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 99}}),
    ],
)
def test_local_ssds_of_the_machine_are_silent(name: str, config: dict) -> None:
    assert not findings(SSDS, machine(name, config))


def test_local_ssds_with_two_uses_are_found() -> None:
    both = {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 8}, "localNvmeSsdBlockConfig": {"localSsdCount": 8}}
    assert findings(disks.local_ssds_have_one_use, machine("a3-megagpu-8g", both))
    one = {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 16}, "localNvmeSsdBlockConfig": {"localSsdCount": 0}}
    assert not findings(disks.local_ssds_have_one_use, machine("a3-megagpu-8g", one))


def test_kserve_pods_are_judged() -> None:
    spec = {"template": {"containers": [{"name": "main"}], **MOUNT, **H200}}
    assert findings(VOLUME, claim(), custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "llm", spec))
