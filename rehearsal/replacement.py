"""Which changed property forces a new resource, as far as it is known.

The tables follow the ``ForceNew`` marks in the schemas of https://github.com/hashicorp/terraform-provider-google-beta,
on which Pulumi's provider for Google Cloud stands, and the ``forceNew`` table of its provider for Kubernetes
(https://github.com/pulumi/pulumi-kubernetes, provider/pkg/provider/diff.go). A type without a row is taken to change in
place, save for its name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

__all__ = ["replaces", "replaces_by_value"]

_INDEX = re.compile(r"\[[^\]]*\]")

_NODE_CONFIG = """
    advancedMachineFeatures bootDiskKmsKey confidentialNodes.confidentialInstanceType enableConfidentialStorage
    ephemeralStorageConfig ephemeralStorageLocalSsdConfig flexStart guestAccelerators hostMaintenancePolicy
    localNvmeSsdBlockConfig localSsdCount localSsdEncryptionMode maxRunDuration metadata minCpuPlatform nodeGroup
    oauthScopes preemptible reservationAffinity sandboxConfig secondaryBootDisks serviceAccount shieldedInstanceConfig
    soleTenantConfig spot
"""
_NODES = "".join(f" nodeConfig.{field}" for field in _NODE_CONFIG.split())

_FORCING: Mapping[str, str] = {
    "gcp:artifactregistry/repository:Repository": "format kmsKeyName location mavenConfig mode project"
    " remoteRepositoryConfig repositoryId",
    "gcp:certificatemanager/certificate:Certificate": "location managed name project scope selfManaged",
    "gcp:compute/address:Address": "address addressType description ipCollection ipVersion ipv6EndpointType name"
    " network networkTier prefixLength project purpose region subnetwork",
    "gcp:compute/firewall:Firewall": "direction name params project",
    "gcp:compute/globalAddress:GlobalAddress": "address addressType description ipVersion name network prefixLength"
    " project purpose",
    "gcp:compute/network:Network": "autoCreateSubnetworks description internalIpv6Range name networkProfile params"
    " project",
    "gcp:compute/resourcePolicy:ResourcePolicy": "diskConsistencyGroupPolicy groupPlacementPolicy.gpuTopology"
    " groupPlacementPolicy.tpuTopology name project region workloadPolicy",
    "gcp:compute/router:Router": "encryptedInterconnectRouter name nccGateway network params project region",
    "gcp:compute/routerNat:RouterNat": "endpointTypes initialNatIps name project region router type",
    "gcp:compute/subnetwork:Subnetwork": "description externalIpv6Prefix internalIpv6Prefix name network params project"
    " region reservedInternalRange resolveSubnetMask",
    "gcp:container/cluster:Cluster": "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey clusterIpv4Cidr"
    " confidentialNodes datapathProvider dataplaneOptimizationMode defaultMaxPodsPerNode description enableAutopilot"
    " enableKubernetesAlpha enableTpu initialNodeCount ipAllocationPolicy location masterAuth.clientCertificateConfig"
    " name network networkingMode nodePools privateClusterConfig.masterIpv4CidrBlock"
    " privateClusterConfig.privateEndpointSubnetwork project subnetwork tpuConfig.enabled"
    " tpuConfig.useServiceNetworking userManagedKeysConfig.aggregationCa userManagedKeysConfig.clusterCa"
    " userManagedKeysConfig.etcdApiCa userManagedKeysConfig.etcdPeerCa" + _NODES,
    "gcp:container/nodePool:NodePool": "cluster initialNodeCount location maxPodsPerNode name namePrefix"
    " networkConfig.acceleratorNetworkProfile networkConfig.additionalNodeNetworkConfigs"
    " networkConfig.additionalPodNetworkConfigs networkConfig.createPodRange"
    " networkConfig.podCidrOverprovisionConfig networkConfig.podIpv4CidrBlock networkConfig.podRange"
    " networkConfig.subnetwork placementPolicy project queuedProvisioning" + _NODES,
    "gcp:dns/managedZone:ManagedZone": "dnsName name project reverseLookup serviceDirectoryConfig visibility",
    "gcp:dns/recordSet:RecordSet": "managedZone name project routingPolicy.healthCheck",
    "gcp:filestore/instance:Instance": "fileShares.name fileShares.sourceBackup initialReplication kmsKeyName location"
    " name networks project protocol tags tier zone",
    "gcp:projects/iAMMember:IAMMember": "condition member project role",
    "gcp:projects/service:Service": "project service",
    "gcp:secretmanager/secret:Secret": "project replication secretId tags",
    "gcp:secretmanager/secretIamMember:SecretIamMember": "condition member project role secretId",
    "gcp:secretmanager/secretVersion:SecretVersion": "isSecretDataBase64 secret secretData",
    "gcp:serviceaccount/account:Account": "accountId project",
    "gcp:serviceaccount/iAMMember:IAMMember": "condition member role serviceAccountId",
    "gcp:storage/bucket:Bucket": "customPlacementConfig enableObjectRetention hierarchicalNamespace location name"
    " project",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "bucket condition member role",
    "kubernetes:helm.sh/v3:Release": "name namespace",
    "pulumi:providers:kubernetes": "clusterIdentifier",
}

_VOLUME_SOURCES = """
    awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs
    hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
"""
_CONTAINER = """
    args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin
    stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir
"""
_POD = """
    affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID
    hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates
    restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName
    shareProcessNamespace subdomain terminationGracePeriodSeconds volumes
"""


def _under(prefix: str, names: str) -> str:
    return " ".join(f"{prefix}.{name}" for name in names.split())


_KINDS: Mapping[str, str] = {
    "ClusterRoleBinding": "roleRef",
    "ConfigMap": "binaryData data",
    "DaemonSet": "spec.selector",
    "Deployment": "spec.selector",
    "Job": "spec.completions spec.parallelism spec.selector spec.template",
    "PersistentVolume": _under("spec", _VOLUME_SOURCES),
    "PersistentVolumeClaim": "spec.accessModes spec.selector spec.storageClassName spec.volumeName",
    "Pod": " ".join(
        (_under("spec", _POD), _under("spec.containers", _CONTAINER), _under("spec.initContainers", _CONTAINER))
    ),
    "ResourceQuota": "spec.scopes",
    "RoleBinding": "roleRef",
    "Secret": "data stringData type",
    "Service": "spec.clusterIP",
    "StatefulSet": "spec.podManagementPolicy spec.revisionHistoryLimit spec.selector spec.serviceName"
    " spec.volumeClaimTemplates",
    "StorageClass": "parameters provisioner",
}

_GROUPS = frozenset({"apps", "batch", "core", "rbac", "storage"})
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
    "kubernetes:core/v1:ConfigMap": ("enableConfigMapMutable", ("binaryData", "data")),
    "kubernetes:core/v1:Secret": ("enableSecretMutable", ("data", "stringData")),
}
"""Settings of the Kubernetes provider under which the content changes in place."""


def _is_moved_or_shrunk(old: object, new: object) -> bool:
    try:
        before, after = (ipaddress.ip_network(str(side), strict=False) for side in (old, new))
    except ValueError:
        return False
    if isinstance(before, ipaddress.IPv4Network) and isinstance(after, ipaddress.IPv4Network):
        return not before.subnet_of(after)
    return True


def _is_switched_off(old: object, new: object) -> bool:
    return old in (True, "true") and new not in (True, "true")


def _is_taken_away(old: object, new: object) -> bool:
    return old is not None and old != new


_BY_VALUE: Mapping[tuple[str, str], Callable[[object, object], bool]] = {
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange"): _is_moved_or_shrunk,
    ("gcp:container/cluster:Cluster", "enableFqdnNetworkPolicy"): _is_switched_off,
    ("gcp:container/cluster:Cluster", "enableK8sBetaApis.enabledApis"): _is_taken_away,
    ("gcp:container/cluster:Cluster", "enableL4IlbSubsetting"): _is_switched_off,
    ("gcp:storage/bucket:Bucket", "retentionPolicy.isLocked"): _is_switched_off,
}
"""Properties that change in place one way only: the ``ForceNewIfChange`` of the Google provider."""


def replaces(token: str, path: str, configuration: Mapping[str, object] | None = None) -> bool:
    """Whether a change of a property makes the provider replace the resource.

    Args:
        token: type of the resource.
        path: one value's property, as in ``nodeConfig.guestAccelerators[0].type``.
        configuration: inputs of the resource's provider.
    """
    plain = _INDEX.sub("", path)
    setting, content = _MUTABLE.get(token, ("", ()))
    if plain.partition(".")[0] in content and configuration and configuration.get(setting) in (True, "true"):
        return False
    return any(plain == forcing or plain.startswith(f"{forcing}.") for forcing in _paths(token))


def replaces_by_value(token: str, path: str, old: object, new: object) -> bool:
    """Whether a change makes the provider replace the resource for what it changes from and to.

    Args:
        token: type of the resource.
        path: the changed property, as in ``ipCidrRange``.
        old: the value that stands; ``None`` where there is none.
        new: the value that shall be.
    """
    judge = _BY_VALUE.get((token, _INDEX.sub("", path)))
    return judge is not None and judge(old, new)
