"""The pods that the objects of a plan make, read from the objects alone: no view of the rules has a part in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference.rules.views.values import quantity
from rehearsal.plan import Plan
from rehearsal.render import objects

__all__ = ["Manifest", "Pod", "daemon_sets", "manifests", "pods", "templates"]

LWS = "leaderworkerset.sigs.k8s.io/"
Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """One pod before it has a node."""

    kind: str
    namespace: str
    owner: str
    part: str
    """Which of the owner's pods."""
    group: tuple[str, str] = ("", "")
    """Owner and group of a pod that only works together with others."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.owner}{f' {self.part}' if self.part else ''}"

    @property
    def requests(self) -> dict[str, float]:
        """What it takes of its node: the sum of its containers and of the init containers that stay, in base units."""
        containers = list(self.spec.get("containers") or [])
        first = list(self.spec.get("initContainers") or [])
        taken: dict[str, float] = {}
        for container in (*containers, *(c for c in first if c.get("restartPolicy") == "Always")):
            for name, amount in _requested(container).items():
                taken[name] = taken.get(name, 0.0) + amount
        for container in (c for c in first if c.get("restartPolicy") != "Always"):
            for name, amount in _requested(container).items():
                taken[name] = max(taken.get(name, 0.0), amount)
        return taken

    @property
    def networks(self) -> tuple[str, ...]:
        """Further networks, each of which one pod of a node can have."""
        listed = json.loads(self.annotations.get("networking.gke.io/interfaces", "[]"))
        return tuple(entry["network"] for entry in listed if entry["network"] != "default")

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claim templates whose devices it takes."""
        return tuple(claim["resourceClaimTemplateName"] for claim in self.spec.get("resourceClaims") or [])


def _requested(container: Manifest) -> dict[str, float]:
    resources = container.get("resources") or {}
    stated = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: amount for name, value in stated.items() if (amount := quantity(value)) is not None}


def manifests(plan: Plan) -> list[Manifest]:
    """Return every Kubernetes object of a plan, in an order that does not depend on which was registered first."""
    return sorted((thing for _, thing in objects(plan)), key=_address)


def _address(thing: Manifest) -> tuple[str, str, str]:
    return thing["metadata"].get("namespace", ""), thing["kind"], thing["metadata"]["name"]


def templates(thing: Manifest) -> Iterator[tuple[str, Manifest, int, Mapping[str, str]]]:
    """Yield role, template, number and added labels of the pods of an object; of a LeaderWorkerSet, of one group."""
    spec = thing.get("spec") or {}
    match thing["kind"]:
        case "Deployment" | "StatefulSet":
            yield "", spec["template"], spec.get("replicas", 1), {}
        case "DaemonSet":
            yield "", spec["template"], 0, {}
        case "Job":
            yield "", spec["template"], spec.get("parallelism", 1), {}
        case "LLMInferenceService":
            meta = {"labels": spec.get("labels") or {}, "annotations": spec.get("annotations") or {}}
            yield "", {"metadata": meta, "spec": spec["template"]}, spec.get("replicas", 1), {}
        case "LeaderWorkerSet":
            group, name = spec["leaderWorkerTemplate"], {f"{LWS}name": thing["metadata"]["name"]}
            worker = group["workerTemplate"]
            yield "leader", group.get("leaderTemplate") or worker, 1, {**name, f"{LWS}worker-index": "0"}
            if group.get("size", 1) > 1:
                yield "worker", worker, group["size"] - 1, {**name, f"{LWS}worker-index": "1"}
        case _:
            return


def _pod(thing: Manifest, part: str, template: Manifest, added: Mapping[str, str], group: str = "") -> Pod:
    meta, own = template.get("metadata") or {}, thing["metadata"]
    return Pod(
        kind=thing["kind"],
        namespace=own.get("namespace", "default"),
        owner=own["name"],
        part=part,
        group=(own["name"], group) if group else ("", ""),
        labels={**(meta.get("labels") or {}), **added},
        annotations=meta.get("annotations") or {},
        spec=template.get("spec") or {},
    )


def pods(plan: Plan) -> Iterator[Pod]:
    """Yield every pod that the plan wants, without those of DaemonSets, which depend on the nodes."""
    for thing in manifests(plan):
        if thing["kind"] == "DaemonSet":
            continue
        if thing["kind"] == "LeaderWorkerSet":
            for index in range(thing["spec"].get("replicas", 1)):
                place = 0
                for role, template, count, added in templates(thing):
                    for _ in range(count):
                        yield _pod(thing, f"{index}-{place} ({role})", template, added, group=str(index))
                        place += 1
            continue
        for _, template, count, added in templates(thing):
            yield from (_pod(thing, str(place), template, added) for place in range(count))


def daemon_sets(plan: Plan) -> list[Pod]:
    """Return the pod that each DaemonSet wants on every node that suits it."""
    found = [thing for thing in manifests(plan) if thing["kind"] == "DaemonSet"]
    return [_pod(thing, "", template, {}) for thing in found for _, template, _, _ in templates(thing)]
