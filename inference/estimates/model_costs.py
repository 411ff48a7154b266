"""What each model costs at its replicas: its share of the nodes that its pods run on.

A pod takes the share of a node that it takes of the node's accelerators. Whatever else the nodes cost, disks and what
stands idle beside the pod, is the stack's and not the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from inference.estimates.node_costs import purchases
from inference.estimates.pricing import LIST_PRICES, Agreement, Sum
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.buying import mode_of
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.placement import Placement
from inference.rules.views.pods import PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack

__all__ = ["ModelCost", "Share", "Workload", "model_costs"]

_SECONDS = 3600
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one kind of pod of one replica takes of the nodes of one pool."""

    site: Site
    mode: str
    pods: int
    """Pods of this kind in one replica."""
    accelerators: int
    """GPUs or chips of one pod."""
    nodes: float
    """Nodes for one replica, in parts of a node's accelerators."""
    hourly: float | None
    """US dollars an hour for one replica; ``None`` where a price is unknown."""

    @property
    def pool(self) -> str:
        """Name of the pool as the program calls it."""
        return self.site.pool.resource.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload that serves a model, or a part of one."""

    object: KubernetesObject
    replicas: int | None
    """As declared."""
    fewest: int | None
    """As its autoscaler may set; the declared ones without any."""
    most: int | None
    choices: tuple[tuple[Share, ...], ...]
    """For each kind of pod, the pools that may run it; empty where that is not known."""

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.object.name or self.object.resource.name

    def hourly(self, replicas: int | None, *, dearest: bool = True) -> float | None:
        """Return US dollars an hour for so many replicas, on the dearest pools that may run them or the cheapest."""
        if replicas == 0:
            return 0.0
        pick = max if dearest else min
        costs = []
        for choice in self.choices:
            known = [share.hourly for share in choice if share.hourly is not None]
            if not choice or len(known) < len(choice):
                return None
            costs.append(pick(known))
        return None if replicas is None or not costs else sum(costs) * replicas


@dataclass(frozen=True)
class ModelCost:
    """A model, over all workloads that serve it."""

    name: str
    """As clients ask for it, where that is known."""
    workloads: tuple[Workload, ...]
    tokens_per_second: float | None = None
    """Tokens that one replica generates in a second, where somebody measured it."""
    measured: Workload | None = field(default=None, repr=False)
    """The workload whose replicas were measured."""

    @cached_property
    def declared(self) -> Sum:
        """At the declared replicas, on the dearest pools that may run them."""
        return self._sum((workload, workload.hourly(workload.replicas)) for workload in self.workloads)

    @cached_property
    def cheapest(self) -> Sum:
        """At the declared replicas, on the cheapest pools that may run them."""
        return self._sum((one, one.hourly(one.replicas, dearest=False)) for one in self.workloads)

    @cached_property
    def idle(self) -> Sum:
        """At the fewest replicas."""
        return self._sum((workload, workload.hourly(workload.fewest)) for workload in self.workloads)

    @cached_property
    def most(self) -> Sum:
        """At the most replicas."""
        return self._sum((workload, workload.hourly(workload.most)) for workload in self.workloads)

    @property
    def shares(self) -> tuple[Share, ...]:
        """Every pool that may run a part of it."""
        return tuple(share for workload in self.workloads for choice in workload.choices for share in choice)

    @property
    def per_million_tokens(self) -> float | None:
        """US dollars for a million generated tokens when all declared replicas are busy; ``None`` if not measured."""
        replicas = self.measured.replicas if self.measured else None
        if not self.tokens_per_second or not replicas or not self.declared.complete:
            return None
        return self.declared.hourly / (self.tokens_per_second * replicas * _SECONDS) * _MILLION

    @staticmethod
    def _sum(parts: Iterable[tuple[Workload, float | None]]) -> Sum:
        known, unknown = 0.0, []
        for workload, hourly in parts:
            if hourly is None:
                unknown.append(f"nodes of {workload.object}")
            else:
                known += hourly
        return Sum(known, tuple(unknown))


def model_costs(stack: Stack, agreed: Agreement = LIST_PRICES) -> tuple[ModelCost, ...]:
    """Return what each model of a program costs, in the order of registration."""
    found: dict[str, list[Workload]] = {}
    for thing, name in _served(stack):
        found.setdefault(name, []).append(_workload(stack, thing, agreed))
    costs = []
    for name, workloads in found.items():
        measured = next((workload for workload in workloads if workload.name in agreed.tokens_per_second), None)
        speed = agreed.tokens_per_second[measured.name] if measured else None
        costs.append(ModelCost(name, tuple(workloads), speed, measured))
    return tuple(costs)


def _served(stack: Stack) -> Iterator[tuple[KubernetesObject, str]]:
    """Yield each workload with a model server, and what to call its model."""
    names: dict[int, str] = {}
    things: dict[int, KubernetesObject] = {}
    for server in stack.each(ModelServer):
        thing = server.pod.object
        if not server.pod.accelerators:
            continue
        things.setdefault(id(thing), thing)
        if name := next(iter(server.served_names), None) or server.model:
            names.setdefault(id(thing), name)
    for key, thing in things.items():
        yield thing, names.get(key) or thing.name or thing.resource.name


def _workload(stack: Stack, thing: KubernetesObject, agreed: Agreement) -> Workload:
    pods = [pod for pod in thing.resource.view(PodTemplate.of) if pod.accelerators]
    declared = pods[0].replicas if pods else None
    fewest = most = declared
    if scaler := stack.view(_scalers).get(thing.resource.urn):
        fewest, most = scaler.least, scaler.most
    choices = tuple(tuple(_shares(stack, pod, agreed)) for pod in pods)
    return Workload(object=thing, replicas=declared, fewest=fewest, most=most, choices=choices)


def _scalers(stack: Stack) -> dict[str, Autoscaler]:
    """Return the autoscalers by the URN of the workload that they scale."""
    return {
        target.resource.urn: scaler for scaler in stack.each(Autoscaler) if (target := scaler.target(stack)) is not None
    }


def _shares(stack: Stack, pod: PodTemplate, agreed: Agreement) -> Iterator[Share]:
    copies = _copies(pod)
    if copies is None:
        return
    for site in _sites(stack, pod):
        nodes = copies * pod.accelerators / site.units if site.units else None
        bought = [one.hourly for one in purchases(site, agreed)]
        known = [amount for amount in bought if amount is not None]
        complete = nodes is not None and len(known) == len(bought)
        yield Share(
            site=site,
            mode=mode_of(site.pool) or "unknown",
            pods=copies,
            accelerators=pod.accelerators,
            nodes=nodes or 0.0,
            hourly=sum(known) * nodes if complete and nodes is not None else None,
        )


def _sites(stack: Stack, pod: PodTemplate) -> tuple[Site, ...]:
    """Return the pools that may run a pod; of a ComputeClass those that carry its label."""
    placement = next((p for p in pod.object.resource.view(Placement.of) if p.pod is pod), None)
    if placement is None or not placement.compute_class:
        return sites_of(stack, pod)
    scope = stack.view(Fleet).around(placement)
    return scope.candidates(placement) if scope is not None and placement.settled else ()


def _copies(pod: PodTemplate) -> int | None:
    """Return how many such pods one replica has."""
    if pod.object.kind == "LeaderWorkerSet":
        return 1 if pod.role == "leader" else None if pod.size is None else pod.size - 1
    # How many workers KServe or Ray start follows from fields that differ by version.
    return None if "worker" in pod.role else 1
