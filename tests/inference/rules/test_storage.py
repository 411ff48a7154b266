from __future__ import annotations

from typing import Any

import pytest

from inference.rules.storage import (
    claim_mounts_everywhere,
    disk_follows_pod,
    driver_installed,
    fuse_cache_allowed,
    fuse_sidecar_asked_for,
    fuse_sidecar_asked_for_claims,
    image_cache_streams,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    changed,
    cluster,
    custom,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
    resource,
    workload,
)

FUSE = "gcsfuse.csi.storage.gke.io"
ASKS = {"gke-gcsfuse/volumes": "true"}
NODES = node_pool(props={"nodeConfig": {"diskSizeGb": 1000}})
ADDON = {"addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}}}


def inline(**attributes: str) -> dict[str, Any]:
    csi = {"driver": FUSE, "readOnly": True, "volumeAttributes": {"bucketName": "weights", **attributes}}
    return {"volumes": [{"name": "weights", "csi": csi}]}


def claimed(name: str = "weights") -> dict[str, Any]:
    return {"volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": name}}]}


def claim(name: str = "weights", **spec: Any) -> Resource:
    base = {"accessModes": ["ReadOnlyMany"], "storageClassName": "", "volumeName": "weights"}
    return workload(
        "kubernetes:core/v1:PersistentVolumeClaim", "v1", "PersistentVolumeClaim", name, {**base, **spec}, None
    )


def volume(driver: str = FUSE, **spec: Any) -> Resource:
    body = {"csi": {"driver": driver, "volumeHandle": "weights"}, **spec}
    return resource(
        "kubernetes:core/v1:PersistentVolume",
        "weights",
        {"kind": "PersistentVolume", "metadata": {"name": "weights"}, "spec": body},
    )


def storage_class(name: str = "fast", **props: Any) -> Resource:
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return resource(
        "kubernetes:storage.k8s.io/v1:StorageClass", name, {**body, "provisioner": "pd.csi.storage.gke.io", **props}
    )


def pods(pod: dict[str, Any], annotations: dict[str, Any] | None = None) -> list[Resource]:
    """Return workloads of several kinds with this pod spec."""
    template = {"metadata": {"annotations": annotations or {}}, "spec": changed({"containers": [{"name": "c"}]}, pod)}
    return [
        deployment(pod=pod, annotations=annotations),
        leader_worker_set(leader=pod, worker=pod, annotations=annotations),
        workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "load", {"template": template}, None),
        custom(
            "serving.kserve.io/v1alpha2",
            "LLMInferenceService",
            "llama",
            {"annotations": annotations or {}, "template": template["spec"]},
        ),
    ]


class TestSidecar:
    @pytest.mark.parametrize("annotations", [None, {"gke-gcsfuse/volumes": "false"}, {"gke-gcsfuse/volume": "true"}])
    def test_a_fuse_volume_without_annotation_is_found(self, annotations: dict[str, Any] | None) -> None:
        for pod in pods(inline(), annotations):
            assert findings(fuse_sidecar_asked_for, pod)
        for pod in pods(claimed(), annotations):
            assert findings(fuse_sidecar_asked_for_claims, pod, claim(), volume())

    def test_the_annotation_on_the_object_itself_does_not_count(self) -> None:
        found = findings(fuse_sidecar_asked_for, deployment(pod=inline(), props={"metadata": {"annotations": ASKS}}))

        assert "object itself" in found[0]

    @pytest.mark.parametrize("annotations", [ASKS, {"gke-gcsfuse/volumes": True}])
    def test_a_fuse_volume_with_annotation_is_silent(self, annotations: dict[str, Any]) -> None:
        for pod in pods(inline(), annotations):
            assert findings(fuse_sidecar_asked_for, pod) == []
        for pod in pods(claimed(), annotations):
            assert findings(fuse_sidecar_asked_for_claims, pod, claim(), volume()) == []

    def test_other_drivers_and_unknown_annotations_are_silent(self) -> None:
        lustre = volume("lustre.csi.storage.gke.io")
        unknown = {"template": {"metadata": {"annotations": UNKNOWN}}}

        assert findings(fuse_sidecar_asked_for_claims, deployment(pod=claimed()), claim(), lustre) == []
        assert findings(fuse_sidecar_asked_for_claims, deployment(pod=claimed())) == []
        assert findings(fuse_sidecar_asked_for, deployment(pod=inline(), spec=unknown)) == []

    def test_the_storage_classes_of_gke_and_reserved_volumes_count(self) -> None:
        by_class = claim(storageClassName="gcsfusecsi-serving", volumeName=None)
        by_reference = volume(claimRef={"name": "weights", "namespace": "serving"})

        assert len(findings(fuse_sidecar_asked_for_claims, deployment(pod=claimed()), by_class)) == 1
        assert (
            len(
                findings(fuse_sidecar_asked_for_claims, deployment(pod=claimed()), claim(volumeName=None), by_reference)
            )
            == 1
        )


class TestDriver:
    @pytest.mark.parametrize("props", [{}, {"addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": False}}}])
    def test_a_cluster_without_the_add_on_is_found(self, props: dict[str, Any]) -> None:
        for pod in pods(inline(), ASKS):
            assert len(findings(driver_installed, pod, cluster(props=props))) == 1
        assert len(findings(driver_installed, deployment(pod=claimed()), claim(), volume(), cluster(props=props))) == 1

    def test_a_cluster_without_workload_identity_is_found(self) -> None:
        bare = cluster(props={**ADDON, "workloadIdentityConfig": None})

        assert "workload identity" in findings(driver_installed, deployment(pod=inline()), bare)[0]

    @pytest.mark.parametrize(("mode", "count"), [("GCE_METADATA", 1), ("GKE_METADATA", 0), (None, 0), (UNKNOWN, 0)])
    def test_a_pool_that_shows_the_nodes_metadata_is_found(self, mode: object, count: int) -> None:
        pool = node_pool(props={"nodeConfig": {"workloadMetadataConfig": {"mode": mode}}})

        assert len(findings(driver_installed, deployment(pod=inline()), cluster(props=ADDON), pool)) == count

    @pytest.mark.parametrize(
        "props",
        [
            ADDON,
            {"enableAutopilot": True},
            {"addonsConfig": UNKNOWN},
            {"addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": UNKNOWN}}},
        ],
    )
    def test_a_cluster_with_the_add_on_or_perhaps_with_it_is_silent(self, props: dict[str, Any]) -> None:
        assert findings(driver_installed, deployment(pod=inline()), cluster(props=props)) == []

    def test_other_file_systems_have_add_ons_too(self) -> None:
        filestore = claim(storageClassName="standard-rwx", volumeName=None)
        lustre = volume("lustre.csi.storage.gke.io")

        assert len(findings(driver_installed, deployment(pod=claimed()), filestore, cluster(props=ADDON))) == 1
        assert len(findings(driver_installed, deployment(pod=claimed()), claim(), lustre, cluster(props=ADDON))) == 1

    def test_a_cluster_that_exists_already_is_silent(self) -> None:
        assert findings(driver_installed, deployment(pod=inline())) == []


class TestCache:
    UNLIMITED = {**ASKS, "gke-gcsfuse/ephemeral-storage-limit": "0"}

    @pytest.mark.parametrize(
        "attributes",
        [
            {"fileCacheCapacity": "500Gi"},
            {"fileCacheCapacity": "-1"},
            {"mountOptions": "implicit-dirs,file-cache:max-size-mb:100000"},
            {"mountOptions": "file-cache:max-size-mb:-1"},
        ],
    )
    def test_a_cache_above_the_limit_on_nodes_without_local_ssd_is_found(self, attributes: dict[str, str]) -> None:
        nodes = (cluster(), node_pool())
        for limits in (ASKS, {**ASKS, "gke-gcsfuse/ephemeral-storage-limit": "10Gi"}):
            cached = deployment(pod=inline(**attributes), annotations=limits)
            assert len(findings(fuse_cache_allowed, cached, *nodes)) == 1

    def test_a_limit_below_the_cache_is_found_on_any_node(self) -> None:
        limits = {**ASKS, "gke-gcsfuse/ephemeral-storage-limit": "10Gi"}

        assert (
            len(findings(fuse_cache_allowed, deployment(pod=inline(fileCacheCapacity="50Gi"), annotations=limits))) == 1
        )

    def test_the_mount_options_of_a_volume_count(self) -> None:
        cached = volume(mountOptions=["implicit-dirs", "file-cache:max-size-mb:-1"])
        stack = (deployment(pod=claimed(), annotations=ASKS), claim(), cached, cluster(), node_pool())

        assert len(findings(fuse_cache_allowed, *stack)) == 1

    def test_a_cache_above_the_boot_disk_is_found_unless_there_is_local_ssd(self) -> None:
        cached = deployment(pod=inline(fileCacheCapacity="-1"), annotations=self.UNLIMITED)
        ssd = node_pool(props={"nodeConfig": {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 1}}})

        assert len(findings(fuse_cache_allowed, cached, cluster(), node_pool())) == 1
        assert findings(fuse_cache_allowed, cached, cluster(), ssd) == []
        assert findings(fuse_cache_allowed, cached) == []
        assert findings(fuse_cache_allowed, deployment(pod=inline(fileCacheCapacity="-1"), annotations=ASKS)) == []

    @pytest.mark.parametrize(
        ("attributes", "annotations", "volumes"),
        [
            ({}, ASKS, []),
            ({"fileCacheCapacity": "0"}, ASKS, []),
            ({"fileCacheCapacity": "4Gi"}, ASKS, []),
            ({"fileCacheCapacity": "500Gi"}, {**ASKS, "gke-gcsfuse/ephemeral-storage-limit": "600Gi"}, []),
            ({"fileCacheCapacity": "500Gi"}, UNLIMITED, []),
            ({"fileCacheCapacity": "500Gi"}, ASKS, [{"name": "gke-gcsfuse-cache", "emptyDir": {"medium": "Memory"}}]),
            ({"fileCacheCapacity": UNKNOWN}, ASKS, []),
        ],
    )
    def test_a_cache_that_fits_or_none_is_silent(self, attributes: Any, annotations: Any, volumes: list[Any]) -> None:
        pod = inline(**attributes)
        pod["volumes"] += volumes

        assert findings(fuse_cache_allowed, deployment(pod=pod, annotations=annotations), cluster(), NODES) == []


class TestDisk:
    DYNAMIC = claim(storageClassName="fast", volumeName=None)

    @pytest.mark.parametrize("props", [{}, {"volumeBindingMode": "Immediate"}, {"provisioner": "kubernetes.io/gce-pd"}])
    def test_a_class_that_binds_at_once_is_found(self, props: dict[str, Any]) -> None:
        assert len(findings(disk_follows_pod, deployment(pod=claimed()), self.DYNAMIC, storage_class(**props))) == 1

    def test_claim_templates_and_ephemeral_volumes_count(self) -> None:
        spec = {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"]}
        ephemeral = {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}]}
        templates = {"volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": spec}]}

        assert len(findings(disk_follows_pod, deployment(pod=ephemeral), storage_class())) == 1
        assert len(findings(disk_follows_pod, deployment(spec=templates), storage_class())) == 1

    @pytest.mark.parametrize(
        "props",
        [
            {"volumeBindingMode": "WaitForFirstConsumer"},
            {"volumeBindingMode": UNKNOWN},
            {"provisioner": "filestore.csi.storage.gke.io"},
            {"provisioner": "lustre.csi.storage.gke.io", "volumeBindingMode": "Immediate"},
            {"allowedTopologies": [{"matchLabelExpressions": []}]},
        ],
    )
    def test_a_class_that_waits_or_makes_no_zonal_disk_is_silent(self, props: dict[str, Any]) -> None:
        assert findings(disk_follows_pod, deployment(pod=claimed()), self.DYNAMIC, storage_class(**props)) == []

    def test_a_pod_without_accelerators_may_run_in_any_zone(self) -> None:
        plain = deployment(containers=[{"name": "db", "image": "postgres:18.1"}], pod=claimed())

        assert findings(disk_follows_pod, plain, self.DYNAMIC, storage_class()) == []

    @pytest.mark.parametrize(("zone", "count"), [("us-central1-a", 0), ("us-central1-b", 1)])
    def test_a_disk_that_exists_lies_in_a_zone_of_the_nodes(self, zone: str, count: int) -> None:
        handle = f"projects/p/zones/{zone}/disks/weights"
        by_handle = volume(csi={"driver": "pd.csi.storage.gke.io", "volumeHandle": handle})
        expression = {"key": "topology.gke.io/zone", "operator": "In", "values": [zone]}
        affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
        by_affinity = volume("pd.csi.storage.gke.io", nodeAffinity=affinity)

        for persistent in (by_handle, by_affinity):
            stack = (deployment(pod=claimed()), claim(), persistent, cluster(), node_pool())
            assert len(findings(disk_follows_pod, *stack)) == count


class TestAccess:
    @pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
    def test_several_pods_on_a_claim_for_one_node_are_found(self, mode: str) -> None:
        one = claim(accessModes=[mode])

        assert len(findings(claim_mounts_everywhere, deployment(pod=claimed(), spec={"replicas": 2}), one)) == 1
        assert findings(claim_mounts_everywhere, leader_worker_set(leader=claimed(), worker=claimed()), one)

    def test_one_pod_or_a_shared_claim_is_silent(self) -> None:
        one = claim(accessModes=["ReadWriteOnce"])
        many = deployment(pod=claimed(), spec={"replicas": 2})

        assert findings(claim_mounts_everywhere, deployment(pod=claimed()), one) == []
        for modes in (["ReadOnlyMany"], ["ReadWriteOnce", "ReadOnlyMany"], ["ReadWriteMany"], UNKNOWN):
            assert findings(claim_mounts_everywhere, many, claim(accessModes=modes)) == []


class TestImageCache:
    DISKS = {"secondaryBootDisks": [{"diskImage": "global/images/vllm", "mode": "CONTAINER_IMAGE_CACHE"}]}

    def pool(self, **config: Any) -> Resource:
        return node_pool(props={"nodeConfig": {**self.DISKS, **config}})

    @pytest.mark.parametrize(
        "config",
        [{}, {"gcfsConfig": {"enabled": False}}, {"gcfsConfig": {"enabled": True}, "imageType": "UBUNTU_CONTAINERD"}],
    )
    def test_a_cache_that_no_node_uses_is_found(self, config: dict[str, Any]) -> None:
        assert len(findings(image_cache_streams, self.pool(**config), cluster())) == 1
        within = cluster(
            props={"removeDefaultNodePool": None, "nodePools": [{"name": "in", "nodeConfig": {**self.DISKS, **config}}]}
        )
        assert len(findings(image_cache_streams, within)) == 1

    @pytest.mark.parametrize(
        "config",
        [
            {"gcfsConfig": {"enabled": True}},
            {"gcfsConfig": UNKNOWN},
            {"gcfsConfig": {"enabled": "true"}, "imageType": "cos_containerd"},
        ],
    )
    def test_streaming_or_perhaps_streaming_is_silent(self, config: dict[str, Any]) -> None:
        assert findings(image_cache_streams, self.pool(**config), cluster()) == []

    def test_the_clusters_default_counts(self) -> None:
        streams = {"nodePoolDefaults": {"nodeConfigDefaults": {"gcfsConfig": {"enabled": True}}}}

        assert findings(image_cache_streams, self.pool(), cluster(props=streams)) == []

    def test_other_secondary_disks_are_silent(self) -> None:
        data = {"secondaryBootDisks": [{"diskImage": "global/images/weights"}]}

        assert findings(image_cache_streams, node_pool(props={"nodeConfig": data})) == []
