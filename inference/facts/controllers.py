"""Names that LeaderWorkerSet, Kueue and KServe prescribe: APIs, labels, annotations, variables, limits."""

from __future__ import annotations

# ------------------------------------------------------------------ LeaderWorkerSet

LWS_GROUP = "leaderworkerset.x-k8s.io"
LWS_API = f"{LWS_GROUP}/v1"
LWS_NAME_LABEL = "leaderworkerset.sigs.k8s.io/name"
LWS_GROUP_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/group-index"
LWS_WORKER_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
LWS_GROUP_KEY_LABEL = "leaderworkerset.sigs.k8s.io/group-key"
LWS_SUBGROUP_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/subgroup-index"
LWS_LABELS = (
    LWS_NAME_LABEL,
    LWS_GROUP_INDEX_LABEL,
    LWS_WORKER_INDEX_LABEL,
    LWS_GROUP_KEY_LABEL,
    LWS_SUBGROUP_INDEX_LABEL,
    "leaderworkerset.sigs.k8s.io/template-revision-hash",
)
LWS_EXCLUSIVE_TOPOLOGY_ANNOTATION = "leaderworkerset.sigs.k8s.io/exclusive-topology"
LWS_SUBGROUP_EXCLUSIVE_TOPOLOGY_ANNOTATION = "leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology"
"""Labels the controller puts on pods, leaders having worker index ``"0"``, and annotations to set (source LWS)."""

LWS_LEADER_ENV = "LWS_LEADER_ADDRESS"
LWS_SIZE_ENV = "LWS_GROUP_SIZE"
LWS_WORKER_INDEX_ENV = "LWS_WORKER_INDEX"
LWS_ENV = (LWS_LEADER_ENV, LWS_SIZE_ENV, LWS_WORKER_INDEX_ENV)
"""Variables that the controller injects (source LWS)."""

LWS_RESTART_POLICIES = ("RecreateGroupOnPodRestart", "RecreateGroupAfterStart", "None", "Default")
"""When a group is restarted; ``Default`` is deprecated and means ``None`` (source LWS)."""

MAX_LWS_NAME = 50
"""A LeaderWorkerSet with a longer name makes no pods: its StatefulSets' pods get labels that are too long (LWS)."""

# ------------------------------------------------------------------ Kueue

KUEUE_API = "kueue.x-k8s.io/v1beta2"
KUEUE_CONFIG_API = "config.kueue.x-k8s.io/v1beta2"
KUEUE_PROVISIONING_CONTROLLER = "kueue.x-k8s.io/provisioning-request"
KUEUE_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""The stored version of Kueue's kinds, the version of its configuration, the admission check that asks the cluster
autoscaler for nodes, and the label by which a workload names its queue (source KUEUE:apis)."""

# ------------------------------------------------------------------ KServe

KSERVE_GROUP = "serving.kserve.io"
KSERVE_API = f"{KSERVE_GROUP}/v1alpha2"
KSERVE_NAMESPACE = "kserve"
"""The group of its kinds, the stored version of LLMInferenceService, and the namespace that its definitions name for
their conversion webhook (source KSERVE:charts/kserve-llmisvc-crd)."""
