"""Network and GKENetworkParamSet: the objects that make a NIC of the node into something a pod can ask for by name.

A Network names its parameters, the parameters name a VPC and a subnet, and the node pool attaches that subnet: four
places that must agree. GKE checks them long after they were applied, in conditions of the objects that nobody reads;
what shows is a pod that stays Pending, or one that got an ordinary interface where it needed an RDMA device.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inference.facts.gke import DEVICE_MODES, NETWORKING_GROUP
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Network
from inference.rules.views.fabric import ParameterSet, PodNetwork, neighbors
from inference.rules.views.fleet import Fleet, Scope
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpcs

_MULTI_NETWORK = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"
_CUSTOM_CLUSTER = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_CONTROLLER = (
    "https://github.com/kubernetes/cloud-provider-gcp/blob/master/pkg/controller/gkenetworkparamset/"
    "gnpcontroller_validations.go"
)

_TYPES = ("L3", "Device", "L2")
_LONGEST_DEVICE_NAME = 41
_RDMA_NAME = re.compile(r"rdma|roce", re.IGNORECASE)
_PARAMETERS = "GKENetworkParamSet"


@rule(
    "podnetwork-object-type",
    title="A Network has a type and names its parameters",
    breaks="The object is refused, or accepted and never ready; pods that ask for it stay Pending.",
    fix="Set spec.type to Device for NICs of the fabric, and spec.parametersRef with the group networking.gke.io and "
    "the kind GKENetworkParamSet.",
    source=_MULTI_NETWORK,
    severity=Severity.HIGH,
    covers=("RDMA-017",),
    on=PodNetwork,
)
def network_names_parameters(network: PodNetwork) -> Iterator[str]:
    if network.name == "default":
        return
    if network.spec.absent("type") or (network.type is not None and network.type not in _TYPES):
        yield (
            f"{network} has the type {network.type or 'left out'}; there are {', '.join(_TYPES)}, and the object is "
            "refused. Set spec.type: Device for a NIC of the fabric."
        )
    reference = network.spec.section("parametersRef")
    for key, wanted in (("group", NETWORKING_GROUP), ("kind", _PARAMETERS)):
        found = reference.text(key)
        if found is not None and found != wanted:
            yield (
                f'{network} has the {key} "{found}" in its parametersRef; GKE reads only {wanted}, and the network is '
                f"never ready. Set parametersRef.{key}: {wanted}."
            )
    if network.spec.absent("parametersRef", "name"):
        yield (
            f"{network} names no parameters; without a VPC and a subnet it is never ready, and pods that ask for it "
            f"stay Pending. Set spec.parametersRef to a {_PARAMETERS}."
        )
    if network.device and network.name is not None and len(network.name) > _LONGEST_DEVICE_NAME:
        yield (
            f"{network} is a device network with a name of {len(network.name)} characters; the path of its socket on "
            f"the node becomes too long. Take a name of at most {_LONGEST_DEVICE_NAME} characters."
        )


@rule(
    "podnetwork-parameters-complete",
    title="A GKENetworkParamSet names a VPC and a subnet, and either a device mode or secondary ranges",
    breaks="The object is accepted and never ready (ConfigInvalid, VPCNotFound, SubnetNotFound, "
    "DeviceModeCantBeUsedWithSecondaryRange); pods that ask for the network stay Pending.",
    fix="Set vpc and vpcSubnet by name, and deviceMode (RDMA or NetDevice) for a NIC of the fabric, or podIPv4Ranges "
    "for an L3 network.",
    source=_CONTROLLER,
    severity=Severity.HIGH,
    covers=("RDMA-017",),
    on=ParameterSet,
)
def parameters_are_complete(parameters: ParameterSet) -> Iterator[str]:
    spec = parameters.spec
    if parameters.name == "default" or not spec.known():
        return
    mode, ranges = parameters.device_mode, bool(parameters.range_names)
    if spec.text("networkAttachment"):
        if parameters.vpc or parameters.subnet or mode or ranges:
            yield (
                f"{parameters} names a network attachment and a VPC, subnet, device mode or secondary range beside it; "
                "they exclude each other, and the set is never ready. Keep one of the two."
            )
        return
    missing = [key for key in ("vpc", "vpcSubnet") if spec.absent(key)]
    if missing and spec.known("networkAttachment"):
        yield (
            f"{parameters} has no {' and no '.join(missing)}; a network needs both, and the set is never ready. "
            "Name the VPC and the subnet that the node pool attaches."
        )
    for key in ("vpc", "vpcSubnet"):
        if (value := spec.text(key)) is not None and "/" in value:
            yield (
                f'{parameters} has {key} "{value}"; GKE looks it up by its bare name, does not find it, and the set is '
                f"never ready. Set {key}: {short_name(value)}."
            )
    if mode is not None and mode not in DEVICE_MODES:
        yield (
            f'{parameters} has the deviceMode "{mode}"; there are {", ".join(DEVICE_MODES)}, case matters, and the '
            "object is refused. Set deviceMode: RDMA for an RDMA NIC, NetDevice for others."
        )
    if mode and ranges:
        yield (
            f"{parameters} has the deviceMode {mode} and secondary ranges; a device is handed to the pod as it is and "
            "takes no range, and the set is never ready. Remove podIPv4Ranges."
        )
    if spec.absent("deviceMode") and spec.known("podIPv4Ranges", "rangeNames") and not ranges:
        yield (
            f"{parameters} has neither a deviceMode nor secondary ranges; GKE cannot tell what pods get, and the set "
            "is never ready. Set deviceMode: RDMA for an RDMA NIC, NetDevice for others."
        )


@rule(
    "podnetwork-parameters-mode",
    title="The device mode is RDMA on an RDMA network, and on no other",
    breaks="The set is not ready, or the pod gets an ordinary interface instead of an RDMA device: NCCL falls back to "
    "TCP without a word.",
    fix="Set deviceMode to RDMA for subnets of a network with an RDMA profile, to NetDevice for gVNIC networks.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    covers=("RDMA-017",),
)
def mode_fits_network(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for parameters in stack.each(ParameterSet):
        mode, vpc = parameters.device_mode, vpcs.vpc(parameters.resource, "spec", "vpc")
        if isinstance(vpc, Network) and vpc.props.known("networkProfile"):
            if vpc.rdma and mode != "RDMA" and parameters.spec.known("deviceMode"):
                yield About(
                    parameters.resource,
                    f'{parameters} has the deviceMode {mode or "left out"} on the network "{vpc.resource.name}", '
                    f'whose profile "{vpc.profile}" carries RDMA; pods get no RDMA device, and NCCL falls back to TCP. '
                    "Set deviceMode: RDMA.",
                )
            elif not vpc.rdma and mode == "RDMA":
                yield About(
                    parameters.resource,
                    f'{parameters} has the deviceMode RDMA on the network "{vpc.resource.name}", an ordinary VPC; it '
                    "has no RDMA device to hand out, and the set is not ready. Set deviceMode: NetDevice, or name the "
                    "VPC with the RDMA profile.",
                )
        elif isinstance(vpc, str) and mode == "NetDevice" and _rdma_by_name(parameters):
            yield About(
                parameters.resource,
                f'{parameters} has the deviceMode NetDevice on the network "{vpc}"; an RDMA NIC is handed to pods with '
                "the mode RDMA only, and NCCL falls back to TCP. Set deviceMode: RDMA.",
            )


def _rdma_by_name(parameters: ParameterSet) -> bool:
    return all(_RDMA_NAME.search(name or "") for name in (parameters.name, parameters.vpc))


@rule(
    "podnetwork-object-parameters",
    title="Each Network has parameters of its own that exist and fit its type",
    breaks="A Network without its parameters, with those of another, or of another type is never ready "
    "(ParamsReady=False); pods that ask for it stay Pending.",
    fix="Declare one GKENetworkParamSet for each Network, with the name in parametersRef; type Device with a "
    "deviceMode, type L3 with podIPv4Ranges.",
    source=_CONTROLLER,
    severity=Severity.HIGH,
    covers=("RDMA-017",),
)
def network_has_parameters(stack: Stack) -> Iterator[About]:
    sets: dict[str | None, dict[str, ParameterSet]] = defaultdict(dict)
    for parameters in stack.each(ParameterSet):
        sets[_provider(parameters.resource)].setdefault(parameters.name or "", parameters)
    everywhere = {name: found for of_provider in sets.values() for name, found in of_provider.items()}
    open_names = stack.unnamed(_PARAMETERS, NETWORKING_GROUP)
    users: dict[int, PodNetwork] = {}
    for network in stack.each(PodNetwork):
        urn, asked = _provider(network.resource), network.parameters
        if network.name == "default" or asked is None:
            continue
        own = everywhere.get(asked) if urn is None else sets[urn].get(asked) or sets[None].get(asked)
        if own is None:
            here = everywhere if urn is None else {**sets[None], **sets[urn]}
            if here and not open_names:
                yield About(
                    network.resource,
                    f'{network} names the parameters "{asked}", and no {_PARAMETERS} has that name; the network is '
                    "never ready, and pods that ask for it stay Pending. "
                    f"Declared are: {', '.join(sorted(here)[:12])}.",
                )
            continue
        other = users.setdefault(id(own), network)
        if other is not network and neighbors(other.resource, network.resource):
            yield About(
                network.resource,
                f'{network} names the parameters "{asked}" like {other}; a set serves one network, and '
                "the second is never ready. Declare a set of its own with another subnet.",
            )
        yield from _type_mismatch(network, own)


def _provider(resource: Resource) -> str | None:
    return resource.provider.urn if resource.provider is not None else None


def _type_mismatch(network: PodNetwork, parameters: ParameterSet) -> Iterator[About]:
    if parameters.device_mode and network.type in {"L2", "L3"}:
        yield About(
            network.resource,
            f"{network} has the type {network.type}, and its parameters have the deviceMode {parameters.device_mode}; "
            "the device is not handed to pods. Set spec.type: Device.",
        )
    elif network.device and parameters.spec.absent("deviceMode"):
        yield About(
            network.resource,
            f"{network} has the type Device, and {parameters} has no deviceMode; the network is never ready. "
            "Set deviceMode: RDMA for an RDMA NIC, NetDevice for others.",
        )


@rule(
    "podnetwork-parameters-subnet",
    title="Each parameter set has a subnet of its own, in its VPC, that a node pool attaches",
    breaks="A subnet that is missing, used twice, or in the VPC of the cluster makes the set not ready; one that no "
    "node attaches leaves it ready and every pod that asks for it Pending.",
    fix="Give each set the name of one subnet, the same that additionalNodeNetworkConfigs of the pool lists.",
    source=_CONTROLLER,
    severity=Severity.HIGH,
)
def parameters_have_subnet(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    fleet = stack.view(Fleet)
    first: dict[tuple[str, int], ParameterSet] = {}
    attached = {id(scope.cluster): _attached(scope) for scope in fleet.scopes if scope.cluster is not None}
    for parameters in stack.each(ParameterSet):
        resource, name = parameters.resource, parameters.subnet
        if name is None or parameters.name == "default":
            continue
        name = short_name(name)
        vpc, host = vpcs.vpc(resource, "spec", "vpc"), cluster_of(stack, resource)
        for sentence in _misplaced(parameters, name, vpcs, vpc):
            yield About(resource, f"{parameters} {sentence}")
        if not parameters.device_mode:
            continue
        other = first.setdefault((name, id(host)), parameters)
        if other is not parameters and neighbors(other.resource, resource):
            yield About(
                resource,
                f'{parameters} names the subnet "{name}" like {other}; a device network needs a subnet of its own, and '
                "the later set is not ready (DeviceModeSubnetAlreadyInUse). Name another subnet.",
            )
        if host is not None and vpc is not None and vpcs.home(host) == vpc:
            yield About(
                resource,
                f'{parameters} names "{parameters.vpc}", the VPC of the cluster itself, with a deviceMode; the set is '
                "not ready (DeviceModeCantUseDefaultVPC). Name the VPC that the pool attaches additionally.",
            )
        listed = attached.get(id(host))
        if listed is not None and name not in listed:
            yield About(
                resource,
                f'{parameters} names the subnet "{name}", which no node pool attaches; the network is ready and no '
                f"node has it, so that pods stay Pending. Attached are: {', '.join(sorted(listed)[:12]) or 'none'}.",
            )


def _misplaced(parameters: ParameterSet, name: str, vpcs: Vpcs, vpc: Network | str | None) -> Iterator[str]:
    subnet = vpcs.subnet(parameters.resource, "spec", "vpcSubnet")
    if subnet is None:
        if isinstance(vpc, Network) and vpcs.complete(vpc):
            names = sorted(text for s in vpcs.within(vpc) if (text := s.props.text("name")))
            if name not in names:
                yield (
                    f'names the subnet "{name}", which its VPC "{vpc.resource.name}" does not have; the set is not '
                    f"ready (SubnetNotFound). It has: {', '.join(names[:12])}."
                )
        return
    own = vpcs.of(subnet)
    if own is not None and vpc is not None and own != vpc:
        yield (
            f'names the subnet "{name}", which does not lie in its VPC "{parameters.vpc}"; the set is not ready. '
            "Name the VPC of the subnet."
        )
    ranges = {r.text("rangeName") for r in subnet.props.sections("secondaryIpRanges")}
    if subnet.props.known("secondaryIpRanges") and None not in ranges:
        for missing in sorted(set(parameters.range_names) - {r for r in ranges if r}):
            yield (
                f'names the secondary range "{missing}", which the subnet "{name}" does not have; the set is not ready '
                "(SecondaryRangeNotFound). Declare the range on the subnet."
            )


def _attached(scope: Scope) -> frozenset[str] | None:
    """Return the subnets that the pools of a cluster attach; ``None`` where not all are known."""
    if not scope.complete or not any(site.pool.machine and site.pool.machine.fabric for site in scope.sites):
        return None
    entries = [entry for site in scope.sites for entry in site.pool.additional_networks]
    settled = all(site.pool.props.known("networkConfig", "additionalNodeNetworkConfigs") for site in scope.sites)
    names = [entry.text("subnetwork") for entry in entries]
    return frozenset(short_name(name) for name in names if name) if settled and None not in names else None
