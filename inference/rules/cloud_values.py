"""Values that Google Cloud spells in one way only: modes, effects, purposes, labels.

Kubernetes writes ``NoSchedule`` and GKE ``NO_SCHEDULE``; gcloud takes ``regular`` and the API ``REGULAR``. What is
copied from a manifest or a command line is refused as a value, at the preview where the provider knows the list, else
minutes into an update.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.rules.framework import Severity, rule
from inference.rules.views.cloud import Cluster, Firewall, NodePool, Subnetwork
from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

_PROVIDER = "https://www.pulumi.com/registry/packages/gcp/api-docs/container/nodepool/"
_LABELS = "https://cloud.google.com/resource-manager/docs/labels-overview"

_Table = Mapping[tuple[str, ...], frozenset[str]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OF_POOL: _Table = {
    ("upgradeSettings", "strategy"): _words("SURGE BLUE_GREEN SHORT_LIVED"),
    ("autoscaling", "locationPolicy"): _words("BALANCED ANY"),
    ("placementPolicy", "type"): _words("COMPACT TYPE_UNSPECIFIED"),
    ("nodeConfig", "workloadMetadataConfig", "mode"): _words("MODE_UNSPECIFIED GCE_METADATA GKE_METADATA"),
    ("nodeConfig", "loggingVariant"): _words("DEFAULT MAX_THROUGHPUT"),
}
_OF_ENTRY: Mapping[tuple[str, str], frozenset[str]] = {
    ("taints", "effect"): _words("NO_SCHEDULE PREFER_NO_SCHEDULE NO_EXECUTE"),
    ("secondaryBootDisks", "mode"): _words("CONTAINER_IMAGE_CACHE MODE_UNSPECIFIED"),
}
"""Lists of ``nodeConfig``, and a property of each entry."""

_TABLES: Mapping[str, _Table] = {
    Cluster.types[0]: {
        ("releaseChannel", "channel"): _words("RAPID REGULAR STABLE EXTENDED UNSPECIFIED"),
        ("datapathProvider",): _words("ADVANCED_DATAPATH LEGACY_DATAPATH DATAPATH_PROVIDER_UNSPECIFIED"),
        ("networkingMode",): _words("VPC_NATIVE ROUTES"),
        ("gatewayApiConfig", "channel"): _words("CHANNEL_STANDARD CHANNEL_EXPERIMENTAL CHANNEL_DISABLED"),
        ("ipAllocationPolicy", "stackType"): _words("IPV4 IPV4_IPV6"),
        ("clusterAutoscaling", "autoscalingProfile"): _words("BALANCED OPTIMIZE_UTILIZATION PROFILE_UNSPECIFIED"),
    },
    Subnetwork.types[0]: {
        ("purpose",): _words(
            "PRIVATE REGIONAL_MANAGED_PROXY GLOBAL_MANAGED_PROXY INTERNAL_HTTPS_LOAD_BALANCER PRIVATE_SERVICE_CONNECT "
            "PEER_MIGRATION PRIVATE_NAT PRIVATE_RFC_1918 AGGREGATE"
        ),
        ("role",): _words("ACTIVE BACKUP"),
        ("stackType",): _words("IPV4_ONLY IPV4_IPV6 IPV6_ONLY"),
    },
    Firewall.types[0]: {("direction",): _words("INGRESS EGRESS")},
    "gcp:compute/resourcePolicy:ResourcePolicy": {
        ("workloadPolicy", "type"): _words("HIGH_THROUGHPUT HIGH_AVAILABILITY"),
        ("workloadPolicy", "acceleratorTopologyMode"): _words("AUTO_CONNECT PROVISION_ONLY"),
        ("groupPlacementPolicy", "collocation"): _words("COLLOCATED"),
    },
}


@dataclass(frozen=True, eq=False)
class Spelled:
    """A resource with properties that take one of a few words."""

    types: ClassVar[tuple[str, ...]] = (*NodePool.types, *_TABLES)

    label: str
    props: Props
    table: _Table
    pool: bool = False

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the resource itself, and the pools that it is or declares."""
        pools = resource.view(NodePool.of) if resource.type in NodePool.types else ()
        found = [cls(str(pool), pool.props, _OF_POOL, pool=True) for pool in pools]
        if (table := _TABLES.get(resource.type)) is not None:
            kind = resource.type.rpartition(":")[2]
            found.append(cls(f'The {kind} "{resource.name}"', resource.props, table))
        return tuple(found)

    def values(self) -> Iterator[tuple[str, str, frozenset[str]]]:
        """Yield place, value and the words that are taken there."""
        for path, taken in self.table.items():
            if value := self.props.text(*path):
                yield ".".join(path), value, taken
        for (key, inner), taken in _OF_ENTRY.items() if self.pool else ():
            for entry in self.props.sections("nodeConfig", key):
                if value := entry.text(inner):
                    yield f"nodeConfig.{key}.{inner}", value, taken


@rule(
    "cloud-value-is-known",
    title="Modes, effects and purposes are spelled as the API spells them",
    breaks="The resource is refused: 'expected … to be one of'. A taint with the effect of Kubernetes, NoSchedule, is "
    "the most frequent of them.",
    fix="Write the word in capitals with underscores: NO_SCHEDULE, REGULAR, ADVANCED_DATAPATH.",
    source=_PROVIDER,
    severity=Severity.HIGH,
    on=Spelled,
)
def value_is_known(spelled: Spelled) -> Iterator[str]:
    for place, value, taken in spelled.values():
        if value not in taken:
            alike = [word for word in taken if _letters(word) == _letters(value)]
            offered = alike[0] if alike else f"one of {', '.join(sorted(taken))}"
            yield (
                f'{spelled.label} has {place} "{value}", a word that the API does not know; it is refused. '
                f"Write {offered}."
            )


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


_LABEL_KEY = re.compile(r"[^\W\dA-Z_][^\WA-Z]*(?:-[^\WA-Z]*)*")
_LABEL_VALUE = re.compile(r"(?:[^\WA-Z]|-)*")
_LONGEST_LABEL = 63


@dataclass(frozen=True, eq=False)
class Labeled:
    """A resource of Google Cloud with labels for billing and search, which are not those of Kubernetes."""

    types: ClassVar[tuple[str, ...]] = (*NodePool.types, "gcp:compute/", "gcp:storage/", "gcp:secretmanager/")

    label: str
    labels: Mapping[str, str]
    place: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the labels of a resource, and of the nodes of its pools."""
        kind = resource.type.rpartition(":")[2]
        pools = resource.view(NodePool.of) if resource.type in NodePool.types else ()
        found = [cls(str(p), p.config.strings("resourceLabels"), "nodeConfig.resourceLabels") for p in pools]
        place = "resourceLabels" if resource.type in Cluster.types else "labels"
        if resource.type not in NodePool.types or resource.type in Cluster.types:
            found.append(cls(f'The {kind} "{resource.name}"', resource.props.strings(place), place))
        return tuple(each for each in found if each.labels)


@rule(
    "cloud-label-is-accepted",
    title="Labels of cloud resources are of lower-case letters, digits, hyphens and underscores",
    breaks="The API refuses the resource: 'Label keys must start with a lowercase letter'. Labels of Kubernetes allow "
    "capitals, dots and slashes; those of Google Cloud do not.",
    fix="Write keys and values in lower case, with hyphens, at most 63 characters each.",
    source=_LABELS,
    severity=Severity.MEDIUM,
    on=Labeled,
)
def label_is_accepted(labeled: Labeled) -> Iterator[str]:
    for key, value in labeled.labels.items():
        short = max(len(key), len(value)) <= _LONGEST_LABEL
        if not (short and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            yield (
                f'{labeled.label} has the label "{key}" = "{value}" in {labeled.place}; the API takes lower-case '
                "letters, digits, hyphens and underscores, at most 63 of them, a letter first. Write it so."
            )
