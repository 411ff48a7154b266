"""Google APIs and permissions that a program needs, and what else its project has to offer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from inference.estimates.pieces import project_of
from inference.facts.gke import REQUIRED_APIS
from inference.facts.permissions import FIRST_APIS, requirement
from inference.facts.zones import is_zone
from inference.rules.views.cloud import Cluster, Network
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.gateway import Gateway
from inference.rules.views.stack import Stack

__all__ = [
    "Api",
    "Machine",
    "Permission",
    "Profile",
    "Version",
    "apis",
    "machines",
    "permissions",
    "profiles",
    "projects",
    "versions",
]


_ACCOUNT = "gcp:serviceaccount/account:Account"
_USER = "roles/iam.serviceAccountUser"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A Google API that has to be on."""

    project: str | None
    name: str
    """Host name, such as ``container.googleapis.com``."""
    enabled_here: bool
    """Whether the program turns it on itself."""
    wanted_by: tuple[str, ...]
    """Type tokens and features that need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A permission that whoever deploys needs on the project."""

    project: str | None
    name: str
    role: str
    """The narrowest predefined role that has it, of those that the program needs."""
    elsewhere: bool = False
    """Whether a resource that stands already may grant it instead of the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine type in a zone."""

    project: str | None
    zone: str
    machine_type: str
    accelerator: str | None
    """GPU that is chosen beside the machine; None where there is none, or it comes with the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of GKE that a cluster asks for."""

    project: str | None
    location: str
    cluster: str
    channel: str | None
    version: str | None
    """None where the channel decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A network profile that a VPC asks for."""

    project: str | None
    name: str


def projects(stack: Stack) -> tuple[str, ...]:
    """Return the projects that the program goes to, the most used first."""
    counts: dict[str, int] = defaultdict(int)
    for resource in stack.resources:
        if resource.type.startswith("gcp:") and (project := project_of(resource)):
            counts[project] += 1
    return tuple(sorted(counts, key=lambda name: -counts[name]))


def _home(stack: Stack) -> str | None:
    return next(iter(projects(stack)), None)


def apis(stack: Stack) -> tuple[Api, ...]:
    """Return the APIs that the program turns on or needs."""
    wanted: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    enabled: set[tuple[str | None, str]] = set()
    for resource in stack.resources:
        home = project_of(resource) if resource.type.startswith("gcp:") else None
        needed = requirement(resource.type)
        if resource.type.startswith("gcp:") and needed is not None:
            wanted[home, needed.api].append(resource.type)
        if resource.type == "gcp:projects/service:Service" and (name := resource.props.text("service")):
            enabled.add((home, name))
            wanted[home, name].append("the program")
            for first in FIRST_APIS:
                wanted[home, first].append(resource.type)
    home = _home(stack)
    for gateway in stack.each(Gateway):
        if gateway.gke:
            for name in REQUIRED_APIS["inference-gateway"]:
                wanted[home, name].append(str(gateway))
        if any("networking.gke.io/certmap" in key or "/cert-manager-certs" in key for key in _options(gateway)):
            wanted[home, "certificatemanager.googleapis.com"].append(str(gateway))
    for site in stack.view(Fleet).sites:
        if site.pool.config.flag("gcfsConfig", "enabled"):
            for name in REQUIRED_APIS["image-streaming"]:
                wanted[project_of(site.pool.resource) or home, name].append(str(site.pool))
    return tuple(
        Api(project=project, name=name, enabled_here=(project, name) in enabled, wanted_by=tuple(dict.fromkeys(by)))
        for (project, name), by in sorted(wanted.items(), key=lambda row: (row[0][0] or "", row[0][1]))
    )


def _options(gateway: Gateway) -> Iterator[str]:
    yield from gateway.object.annotations
    for listener in gateway.listeners:
        yield from listener.strings("tls", "options")


def permissions(stack: Stack) -> tuple[Permission, ...]:
    """Return the permissions that making, reading and changing the program's resources takes."""
    found: dict[tuple[str | None, str], str] = {}
    home = _home(stack)
    accounts_stand = not stack.of_type(_ACCOUNT)
    for resource in stack.resources:
        needed = requirement(resource.type)
        if needed is None:
            continue
        project = project_of(resource) if resource.type.startswith("gcp:") else home
        for name in needed.permissions:
            found.setdefault((project, name), needed.role)
    return tuple(
        Permission(project=project, name=name, role=_USER, elsewhere=accounts_stand)
        if name.endswith(".actAs")
        else Permission(project=project, name=name, role=role)
        for (project, name), role in sorted(found.items(), key=lambda row: (row[0][0] or "", row[0][1]))
    )


def machines(stack: Stack) -> tuple[Machine, ...]:
    """Return the machine types of the pools by zone, where both are known."""
    found: dict[Machine, None] = {}
    for site in stack.view(Fleet).sites:
        if site.pool.machine_type is None or (site.cluster is not None and site.cluster.autopilot):
            continue
        project = project_of(site.pool.resource)
        for zone in _zones(site):
            beside = site.pool.machine is None or not site.pool.machine.gpus
            kind = site.pool.gpu_type if site.pool.gpu and beside else None
            found[Machine(project=project, zone=zone, machine_type=site.pool.machine_type, accelerator=kind)] = None
    return tuple(found)


def _zones(site: Site) -> tuple[str, ...]:
    return tuple(zone for zone in site.zones or () if is_zone(zone))


def versions(stack: Stack) -> tuple[Version, ...]:
    """Return the GKE versions that clusters ask for."""
    return tuple(
        Version(
            project=project_of(cluster.resource),
            location=cluster.location,
            cluster=cluster.resource.name,
            channel=cluster.release_channel,
            version=cluster.version,
        )
        for cluster in stack.each(Cluster)
        if cluster.location is not None
    )


def profiles(stack: Stack) -> tuple[Profile, ...]:
    """Return the network profiles that VPCs ask for."""
    found = (
        Profile(project=project_of(network.resource), name=network.profile)
        for network in stack.each(Network)
        if network.profile is not None
    )
    return tuple(dict.fromkeys(found))
