"""Which changed property forces a new resource, as far as it is known.

The tables follow the ``ForceNew`` lists of the Google provider (``resource_container_cluster.go``,
``resource_container_node_pool.go``, ``node_config.go``, and the compute resources) and the immutable fields of the
Kubernetes provider (``forceNewProperties``). A type without a row is taken to change in place, save for its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["replaces"]

_INDEX = re.compile(r"\[[^\]]*\]")

_NODE_CONFIG = """
    advancedMachineFeatures bootDiskKmsKey confidentialNodes enableConfidentialStorage ephemeralStorageConfig
    ephemeralStorageLocalSsdConfig flexStart guestAccelerators hostMaintenancePolicy localNvmeSsdBlockConfig
    localSsdCount localSsdEncryptionMode maxRunDuration metadata minCpuPlatform nodeGroup oauthScopes preemptible
    reservationAffinity sandboxConfig secondaryBootDisks serviceAccount shieldedInstanceConfig soleTenantConfig spot
"""

_FORCING: Mapping[str, str] = {
    "gcp:artifactregistry/repository:Repository": "format kmsKeyName location mode project repositoryId",
    "gcp:certificatemanager/certificate:Certificate": "location managed name project scope",
    "gcp:compute/address:Address": "address addressType ipVersion name network networkTier prefixLength project purpose"
    " region subnetwork",
    "gcp:compute/firewall:Firewall": "direction name network project",
    "gcp:compute/globalAddress:GlobalAddress": "address addressType ipVersion name network prefixLength project"
    " purpose",
    "gcp:compute/network:Network": "autoCreateSubnetworks enableUlaInternalIpv6 internalIpv6Range name networkProfile"
    " project",
    "gcp:compute/resourcePolicy:ResourcePolicy": "groupPlacementPolicy name project region workloadPolicy",
    "gcp:compute/router:Router": "encryptedInterconnectRouter name network project region",
    "gcp:compute/routerNat:RouterNat": "name project region router",
    "gcp:compute/subnetwork:Subnetwork": "name network project purpose region",
    "gcp:container/cluster:Cluster": "clusterIpv4Cidr confidentialNodes datapathProvider defaultMaxPodsPerNode"
    " description enableAutopilot enableKubernetesAlpha enableTpu initialNodeCount ipAllocationPolicy location name"
    " network networkingMode nodeConfig nodePools privateClusterConfig.masterIpv4CidrBlock project subnetwork",
    "gcp:container/nodePool:NodePool": "cluster initialNodeCount location maxPodsPerNode name namePrefix"
    " networkConfig.acceleratorNetworkProfile networkConfig.additionalNodeNetworkConfigs"
    " networkConfig.additionalPodNetworkConfigs networkConfig.createPodRange networkConfig.podIpv4CidrBlock"
    " networkConfig.podRange networkConfig.subnetwork placementPolicy project queuedProvisioning"
    + "".join(f" nodeConfig.{field}" for field in _NODE_CONFIG.split()),
    "gcp:dns/managedZone:ManagedZone": "dnsName name project visibility",
    "gcp:dns/recordSet:RecordSet": "managedZone name project",
    "gcp:filestore/instance:Instance": "kmsKeyName location name networks project protocol tier zone",
    "gcp:projects/iAMMember:IAMMember": "condition member project role",
    "gcp:projects/service:Service": "project service",
    "gcp:secretmanager/secret:Secret": "project replication secretId",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "condition member project role secretId",
    "gcp:secretmanager/secretVersion:SecretVersion": "secret secretData",
    "gcp:serviceaccount/account:Account": "accountId project",
    "gcp:serviceaccount/iAMMember:IAMMember": "condition member role serviceAccountId",
    "gcp:storage/bucket:Bucket": "customPlacementConfig enableObjectRetention hierarchicalNamespace location name"
    " project",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "bucket condition member role",
    "kubernetes:helm.sh/v3:Release": "name namespace",
    "pulumi:providers:kubernetes": "clusterIdentifier",
}

_KINDS: Mapping[str, str] = {
    "ClusterRoleBinding": "roleRef",
    "ConfigMap": "binaryData data immutable",
    "CustomResourceDefinition": "spec.group spec.names.kind spec.scope",
    "DaemonSet": "spec.selector",
    "Deployment": "spec.selector",
    "Job": "spec.completionMode spec.selector spec.template",
    "PersistentVolume": "spec.persistentVolumeSource",
    "PersistentVolumeClaim": "spec.accessModes spec.selector spec.storageClassName spec.volumeMode spec.volumeName",
    "Pod": "spec.containers.env spec.containers.name spec.containers.ports spec.containers.resources spec.nodeSelector"
    " spec.serviceAccountName spec.volumes",
    "PriorityClass": "preemptionPolicy value",
    "ReplicaSet": "spec.selector",
    "RoleBinding": "roleRef",
    "RuntimeClass": "handler",
    "Secret": "data immutable stringData type",
    "Service": "spec.clusterIP spec.clusterIPs",
    "StatefulSet": "spec.podManagementPolicy spec.selector spec.serviceName spec.volumeClaimTemplates",
    "StorageClass": "parameters provisioner reclaimPolicy volumeBindingMode",
}

_GROUPS = frozenset(
    {"admissionregistration", "apiextensions", "apps", "batch", "core", "networking", "node", "rbac", "scheduling"}
    | {"storage"}
)
"""Groups of the built-in kinds; a custom kind of the same name has its own rules."""


@lru_cache(maxsize=1024)
def _paths(token: str) -> tuple[str, ...]:
    if token in _FORCING:
        return tuple(_FORCING[token].split())
    if token.startswith("kubernetes:"):
        _, group, kind = token.split(":", 2)
        builtin = group.partition("/")[0].removesuffix(".k8s.io").removesuffix(".authorization") in _GROUPS
        own = _KINDS.get(kind, "") if builtin else ""
        return ("metadata.name", "metadata.namespace", *own.split())
    return ("name",) if token.startswith("gcp:") else ()


_MUTABLE = {
    "kubernetes:core/v1:ConfigMap": "enableConfigMapMutable",
    "kubernetes:core/v1:Secret": "enableSecretMutable",
}
"""Settings of the Kubernetes provider under which the content changes in place."""


def replaces(token: str, path: str, configuration: Mapping[str, object] | None = None) -> bool:
    """Whether a change of a property makes the provider replace the resource.

    Args:
        token: type of the resource.
        path: one value's property, as in ``nodeConfig.guestAccelerators[0].type``.
        configuration: inputs of the resource's provider.
    """
    plain = _INDEX.sub("", path)
    setting = _MUTABLE.get(token)
    if setting and configuration and configuration.get(setting) in (True, "true"):
        return plain.startswith("metadata.") and plain in _paths(token)
    return any(plain == forcing or plain.startswith(f"{forcing}.") for forcing in _paths(token))
