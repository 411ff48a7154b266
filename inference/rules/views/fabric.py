"""Objects that hand the NICs of a node to pods: networks, their parameters, and claims for NICs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.fabrics import FABRICS
from inference.facts.gke import NETWORKING_GROUP
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = ["NetworkClaims", "ParameterSet", "PodNetwork", "neighbors"]

CLAIM_GROUP = "resource.k8s.io"

_FOREIGN = frozenset({"nodeInterfaceMatcher", "l2NetworkConfig", "gateway4", "IPAMMode", "dnsConfig", "routes"})
"""Fields of the Network of Google Distributed Cloud."""

_NIC_CLASSES = frozenset(fabric.device_class for fabric in FABRICS.values())


@dataclass(frozen=True, eq=False)
class ParameterSet(ObjectView):
    """A GKENetworkParamSet: the VPC and subnet behind a network, and how a device of it is handed to a pod."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({(NETWORKING_GROUP, "GKENetworkParamSet")})

    @property
    def vpc(self) -> str | None:
        return self.spec.text("vpc")

    @property
    def subnet(self) -> str | None:
        return self.spec.text("vpcSubnet")

    @property
    def device_mode(self) -> str | None:
        """``RDMA``, ``NetDevice``, ``DPDK-VFIO``."""
        return self.spec.text("deviceMode")

    @property
    def range_names(self) -> tuple[str, ...]:
        """Secondary ranges from which pods get addresses."""
        return self.spec.texts("podIPv4Ranges", "rangeNames")


@dataclass(frozen=True, eq=False)
class PodNetwork(ObjectView):
    """A Network of GKE. Google Distributed Cloud has a kind of the same name, which is left out."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({(NETWORKING_GROUP, "Network")})

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a Network of GKE."""
        return tuple(n for n in super().of(resource) if n.spec.section("parametersRef") or _FOREIGN.isdisjoint(n.spec))

    @property
    def type(self) -> str | None:
        """``Device``, ``L3``, ``L2``."""
        return self.spec.text("type")

    @property
    def device(self) -> bool:
        return self.type == "Device"

    @property
    def parameters(self) -> str | None:
        """Name of its parameter set."""
        return self.spec.text("parametersRef", "name")


def neighbors(one: Resource, other: Resource) -> bool:
    """Whether two Kubernetes objects go to the same cluster, as far as their providers tell."""
    return one.provider is None or other.provider is None or one.provider.urn == other.provider.urn


class NetworkClaims:
    """The claims for NICs of a program. Made once: ``stack.view(NetworkClaims)``."""

    def __init__(self, stack: Stack) -> None:
        self._classes = {
            (thing.kind, thing.namespace, thing.name): frozenset(_classes(thing))
            for kind in ("ResourceClaimTemplate", "ResourceClaim")
            for thing in stack.objects(kind, CLAIM_GROUP)
        }

    def classes(self, pod: PodTemplate) -> frozenset[str]:
        """Return the classes of NICs that a pod claims, where the program declares the claim."""
        found: set[str] = set()
        for claim in pod.spec.sections("resourceClaims"):
            for kind, key in (
                ("ResourceClaimTemplate", "resourceClaimTemplateName"),
                ("ResourceClaim", "resourceClaimName"),
            ):
                found |= self._classes.get((kind, pod.namespace, claim.text(key)), frozenset())
        return frozenset(found & _NIC_CLASSES)


def _classes(thing: KubernetesObject) -> Iterator[str]:
    spec = thing.spec.section("spec") if thing.kind == "ResourceClaimTemplate" else thing.spec
    for request in spec.sections("devices", "requests"):
        choices: tuple[Props, ...] = (request, request.section("exactly"), *request.sections("firstAvailable"))
        yield from (name for choice in choices if (name := choice.text("deviceClassName")))
