"""All resources of a program, with the relations that rules follow: names, edges, selectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

from inference.rules.views.inlined import inlined
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource, Subject, short_name
from inference.rules.views.values import UNKNOWN

__all__ = ["Stack"]

S = TypeVar("S", bound=Subject)
View = TypeVar("View")


class Stack:
    """The resources of one program, in registration order."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        declared = tuple(resources)
        self.inlined = inlined(declared)
        """Objects inside components that the engine shows as one, by URNs made up for them."""
        self.resources = (*declared, *self.inlined.values())
        self._by_urn = {resource.urn: resource for resource in self.resources}
        self._reached: dict[str, frozenset[str]] = {}
        self._views: dict[Any, Any] = {}
        self._each: dict[type[Subject], tuple[Any, ...]] = {}

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.resources:
            found[resource.type].append(resource)
        return found

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for resource in self.resources:
            if resource.parent:
                found[resource.parent].append(resource.urn)
        for urn in self.inlined:
            found[self.shown(urn)].append(urn)
        return found

    @cached_property
    def _named(self) -> Mapping[tuple[str, str, str], list[KubernetesObject]]:
        found: dict[tuple[str, str, str], list[KubernetesObject]] = defaultdict(list)
        for thing in self.each(KubernetesObject):
            if thing.name is not None:
                found[thing.kind, thing.group, thing.name].append(thing)
        return found

    @cached_property
    def _pods_by_label(self) -> Mapping[tuple[str, str, str], list[PodTemplate]]:
        found: dict[tuple[str, str, str], list[PodTemplate]] = defaultdict(list)
        for pod in self.pods():
            for key, value in pod.labels.items():
                found[pod.namespace, key, value].append(pod)
        return found

    @cached_property
    def _objects(self) -> Mapping[str, list[KubernetesObject]]:
        found: dict[str, list[KubernetesObject]] = defaultdict(list)
        for thing in self.each(KubernetesObject):
            found[thing.kind].append(thing)
        return found

    def view(self, make: Callable[[Stack], View]) -> View:
        """Return what a class or function makes of the whole stack, made once and shared by all rules."""
        if make not in self._views:
            self._views[make] = make(self)
        return cast("View", self._views[make])

    def shown(self, urn: str) -> str:
        """Return the URN under which the engine knows a resource: that of the component around an inlined object."""
        return urn.rpartition("#")[0] if urn in self.inlined else urn

    def get(self, urn: str) -> Resource | None:
        """Return the resource of a URN."""
        return self._by_urn.get(urn)

    def of_type(self, *tokens: str) -> tuple[Resource, ...]:
        """Return the resources of these type tokens."""
        return tuple(resource for token in tokens for resource in self._by_type.get(token, ()))

    def each(self, view: type[S]) -> Iterator[S]:
        """Yield every view of this class in the stack."""
        found = self._each.get(view)
        if found is None:
            found = self._each[view] = tuple(
                subject
                for token, resources in self._by_type.items()
                if token.startswith(view.types)
                for resource in resources
                for subject in resource.view(view.of)
            )
        yield from found

    def objects(self, kind: str, group: str) -> tuple[KubernetesObject, ...]:
        """Return the Kubernetes objects of a kind, in any version of its group."""
        return tuple(thing for thing in self._objects.get(kind, ()) if thing.group == group)

    def object(self, kind: str, group: str, name: str | None, namespace: str | None) -> KubernetesObject | None:
        """Return the object with this name; ``namespace`` ``None`` for kinds without one."""
        if name is None:
            return None
        namesakes = self._named.get((kind, group, name), ())
        return next((thing for thing in namesakes if namespace in (None, thing.namespace)), None)

    def unnamed(self, kind: str, group: str) -> bool:
        """Whether some object of the kind has a name that is not known yet: then a miss proves nothing."""
        return any(
            (thing.name is None and not thing.metadata.absent("name")) or not thing.props.known("metadata")
            for thing in self.objects(kind, group)
        )

    def pods(self) -> Iterator[PodTemplate]:
        """Yield the pod templates of all workloads."""
        return self.each(PodTemplate)

    def pods_matching(self, selector: Mapping[str, str], namespace: str) -> tuple[PodTemplate, ...]:
        """Return the pod templates in a namespace whose labels contain a non-empty selector."""
        if not selector:
            return ()
        wanted = selector.items()
        key, value = next(iter(wanted))
        candidates = self._pods_by_label.get((namespace, key, value), ())
        return tuple(pod for pod in candidates if wanted <= pod.labels.items())

    def reference(self, source: Resource, *path: str | int, among: Iterable[Resource]) -> Resource | None:
        """Return the resource that a property names.

        By ID, self link, name or logical name where the value is known; by the edge of the property where it is
        not. ``None`` where nothing can be said or nothing matches.
        """
        candidates = tuple(among)
        value = source.props.raw(*path)
        if isinstance(value, str):
            for candidate in candidates:
                if _names(candidate, value):
                    return candidate
        edges = set(source.property_dependencies.get(str(path[0]), ()))
        if not isinstance(value, str) and not edges:
            edges = set(source.dependencies) if value is UNKNOWN else set()
        linked = [candidate for candidate in candidates if candidate.urn in edges]
        return linked[0] if len(linked) == 1 else None

    def depends(self, source: Resource, target: Resource) -> bool:
        """Whether ``source`` waits for ``target``: directly, through others, a parent, a provider or a component."""
        return target.urn in self._reach(source.urn)

    def awaited(self, source: Resource) -> frozenset[str]:
        """Return the URNs of all that ``source`` waits for, as ``depends`` understands it."""
        return self._reach(source.urn)

    def _reach(self, urn: str) -> frozenset[str]:
        if urn in self._reached:
            return self._reached[urn]
        seen: set[str] = set()
        todo = [urn]
        while todo:
            resource = self._by_urn.get(todo.pop())
            if resource is None:
                continue
            for edge in self._edges(resource):
                if edge not in seen:
                    seen.add(edge)
                    todo.append(edge)
        self._reached[urn] = frozenset(seen)
        return self._reached[urn]

    def _edges(self, resource: Resource) -> Iterator[str]:
        for urn in resource.dependencies:
            yield from self._with_subtree(urn)
        for urns in resource.property_dependencies.values():
            yield from urns
        if resource.provider is not None:
            yield resource.provider.urn
        if resource.parent:
            yield resource.parent

    def _with_subtree(self, urn: str) -> Iterator[str]:
        todo, seen = [urn], {urn}
        while todo:
            current = todo.pop()
            yield current
            resource = self._by_urn.get(current)
            if resource is not None and not resource.custom:
                fresh = [child for child in self._children.get(current, ()) if child not in seen]
                seen.update(fresh)
                todo += fresh


def _names(candidate: Resource, value: str) -> bool:
    known: set[Any] = {candidate.props.text("name"), candidate.props.text("selfLink"), candidate.physical_id}
    known.add(candidate.props.text("id"))
    known.discard(None)
    if value in known:
        return True
    tail = short_name(value)
    if candidate.props.text("name") is not None:
        return tail == candidate.props.text("name")
    return tail == candidate.name or tail in {short_name(k) for k in known}
