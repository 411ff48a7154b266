from __future__ import annotations

from typing import Any

import pytest

from inference.rules.claims import claim_exists, claim_modes_possible
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, deployment, findings, leader_worker_set, resource, workload


def claim(name: object = "weights", spec: dict[str, Any] | None = None, namespace: str = "serving") -> Resource:
    base = {"accessModes": ["ReadWriteOnce"], "storageClassName": "premium-rwo"} | (spec or {})
    props = {"metadata": {"name": name, "namespace": namespace}}
    token = "kubernetes:core/v1:PersistentVolumeClaim"  # noqa: S105
    return workload(token, "v1", "PersistentVolumeClaim", str(name), base, props)


def mounts(name: str = "weights") -> dict[str, Any]:
    return {"volumes": [{"name": "w", "persistentVolumeClaim": {"claimName": name}}]}


@pytest.mark.parametrize("made", [deployment(pod=mounts("weight")), leader_worker_set(size=1, leader=mounts("weight"))])
def test_a_claim_under_another_name_is_found(made: Resource) -> None:
    (found,) = findings(claim_exists, made, claim())
    assert '"weights"' in found


def test_a_claim_of_another_namespace_is_found() -> None:
    (found,) = findings(claim_exists, deployment(pod=mounts()), claim(namespace="other"))
    assert "namespace other" in found


@pytest.mark.parametrize(
    "stack",
    [
        (deployment(pod=mounts()), claim()),
        (deployment(pod=mounts()),),
        (deployment(pod=mounts("other")), deployment("b", pod=mounts()), claim()),
        (deployment(pod=mounts("other")), claim()),
        (deployment(pod=mounts("other")), claim(UNKNOWN)),
        (
            deployment(pod=mounts("other")),
            claim(),
            resource(
                "kubernetes:helm.sh/v3:Release", "x", {"chart": "own", "version": "1.0.0", "namespace": "serving"}
            ),
        ),
    ],
)
def test_a_claim_that_is_there_or_may_be_is_silent(stack: tuple[Resource, ...]) -> None:
    assert findings(claim_exists, *stack) == []


def storage_class(provisioner: str = "pd.csi.storage.gke.io") -> Resource:
    token = "kubernetes:storage.k8s.io/v1:StorageClass"  # noqa: S105
    props = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}}
    return resource(token, "fast", props | {"provisioner": provisioner, "parameters": {"type": "hyperdisk-ml"}})


SHARED = {"accessModes": ["ReadWriteMany"]}


@pytest.mark.parametrize("spec", [SHARED, SHARED | {"storageClassName": None}, SHARED | {"storageClassName": "fast"}])
def test_a_disk_that_many_nodes_are_to_write_is_found(spec: dict[str, Any]) -> None:
    assert len(findings(claim_modes_possible, claim(spec=spec), storage_class(), cluster())) == 1


def test_the_default_class_of_a_cluster_that_others_made_is_not_known() -> None:
    assert findings(claim_modes_possible, claim(spec=SHARED | {"storageClassName": None})) == []


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"accessModes": ["ReadOnlyMany"]},
        SHARED | {"storageClassName": "standard-rwx"},
        SHARED | {"storageClassName": ""},
        SHARED | {"storageClassName": "elsewhere"},
        SHARED | {"storageClassName": UNKNOWN},
        SHARED | {"volumeMode": "Block"},
        SHARED | {"volumeName": "bucket"},
    ],
)
def test_what_a_class_can_give_is_silent(spec: dict[str, Any]) -> None:
    assert findings(claim_modes_possible, claim(spec=spec)) == []
    lustre = storage_class("lustre.csi.storage.gke.io")
    assert findings(claim_modes_possible, claim(spec=SHARED | {"storageClassName": "fast"}), lustre) == []


def test_a_program_may_make_another_class_the_default() -> None:
    marked = {"metadata": {"name": "files", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    token = "kubernetes:storage.k8s.io/v1:StorageClass"  # noqa: S105
    props = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "filestore.csi.storage.gke.io"}
    unnamed = claim(spec=SHARED | {"storageClassName": None})
    assert findings(claim_modes_possible, unnamed, resource(token, "files", props | marked), cluster()) == []


def test_claims_of_another_shape_are_survived() -> None:
    odd = custom("v1", "PersistentVolumeClaim", "x", {"accessModes": "ReadWriteMany", "storageClassName": [1]})
    assert findings(claim_modes_possible, odd) == []
