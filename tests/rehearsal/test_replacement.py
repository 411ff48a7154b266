"""Which changed properties force a new resource: some always, some by what they change from and to."""

from __future__ import annotations

import pytest

from rehearsal.replacement import replaces, replaces_by_value

POOL = "gcp:container/nodePool:NodePool"


@pytest.mark.parametrize(
    ("token", "path", "expected"),
    [
        (POOL, "nodeConfig.machineType", False),
        (POOL, "nodeConfig.localSsdCount", True),
        (POOL, "nodeConfig.reservationAffinity.values[0]", True),
        (POOL, "networkConfig.additionalNodeNetworkConfigs[3].subnetwork", True),
        (POOL, "networkConfig.enablePrivateNodes", False),
        (POOL, "autoscaling.maxNodeCount", False),
        (POOL, "initialNodeCount", True),
        ("gcp:container/cluster:Cluster", "datapathProvider", True),
        ("gcp:container/cluster:Cluster", "minMasterVersion", False),
        ("gcp:container/cluster:Cluster", "privateClusterConfig.masterIpv4CidrBlock", True),
        ("gcp:compute/network:Network", "networkProfile", True),
        ("gcp:compute/network:Network", "mtu", False),
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", False),
        ("gcp:compute/subnetwork:Subnetwork", "network", True),
        ("gcp:compute/firewall:Firewall", "network", False),
        ("gcp:compute/resourcePolicy:ResourcePolicy", "groupPlacementPolicy.maxDistance", False),
        ("gcp:compute/resourcePolicy:ResourcePolicy", "workloadPolicy.acceleratorTopology", True),
        ("gcp:container/cluster:Cluster", "nodeConfig.spot", True),
        ("gcp:container/cluster:Cluster", "nodeConfig.machineType", False),
        ("gcp:unknown/type:Type", "name", True),
        ("gcp:unknown/type:Type", "other", False),
        ("kubernetes:apps/v1:Deployment", "spec.selector.matchLabels.app", True),
        ("kubernetes:apps/v1:Deployment", "spec.replicas", False),
        ("kubernetes:core/v1:ConfigMap", 'data["a.json"]', True),
        ("kubernetes:core/v1:PersistentVolume", "spec.csi.volumeHandle", True),
        ("kubernetes:core/v1:PersistentVolumeClaim", "spec.resources.requests.storage", False),
        ("kubernetes:core/v1:Pod", "spec.containers[0].image", True),
        ("kubernetes:core/v1:ResourceQuota", "spec.scopes[0]", True),
        ("kubernetes:apps/v1:StatefulSet", "spec.revisionHistoryLimit", True),
        ("kubernetes:batch/v1:Job", "spec.parallelism", True),
        ("kubernetes:storage.k8s.io/v1:StorageClass", "parameters.type", True),
        ("kubernetes:storage.k8s.io/v1:StorageClass", "reclaimPolicy", False),
        ("kubernetes:resource.k8s.io/v1:ResourceClaimTemplate", "spec.spec.devices", False),
        ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name", True),
        ("kubernetes:example.com/v1:Service", "spec.clusterIP", False),
        ("kubernetes:example.com/v1:Thing", "metadata.namespace", True),
        ("kubernetes:helm.sh/v3:Release", "version", False),
        ("gke-inference:index:Box", "name", False),
    ],
)
def test_what_forces_a_new_resource(token: str, path: str, expected: bool) -> None:
    assert replaces(token, path) is expected


@pytest.mark.parametrize(
    ("token", "path", "old", "new", "expected"),
    [
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/20", "10.0.0.0/19", False),
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/20", "10.0.0.0/21", True),
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/20", "10.8.0.0/16", True),
        ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange", "10.0.0.0/20", "not a range", False),
        ("gcp:container/cluster:Cluster", "enableL4IlbSubsetting", True, False, True),
        ("gcp:container/cluster:Cluster", "enableL4IlbSubsetting", False, True, False),
        ("gcp:container/cluster:Cluster", "enableFqdnNetworkPolicy", True, None, True),
    ],
)
def test_what_changes_one_way_only_is_made_anew_the_other_way(
    token: str, path: str, old: object, new: object, expected: bool
) -> None:
    assert replaces_by_value(token, path, old, new) is expected
