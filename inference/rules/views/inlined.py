"""Objects that a ConfigGroup carries in itself, as maps or as text, where the engine does not show them one by one.

Components of the ``yaml/v2`` package are made by their provider, and have no children before the cluster is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["inlined", "tells_all"]

_COMPONENTS = "kubernetes:yaml"
_ELSEWHERE = ("file", "files", "directory", "transformations", "resourcePrefix")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST = 1_000_000


def inlined(resources: Sequence[Resource]) -> dict[str, Resource]:
    """Return the objects inside components without children, by URNs of their own."""
    components = [r for r in resources if r.type.startswith(_COMPONENTS)]
    if not components:
        return {}
    parents = {r.parent for r in resources}
    found: dict[str, Resource] = {}
    for component in components:
        for at, manifest in enumerate(_manifests(component) if component.urn not in parents else ()):
            urn = f"{component.urn}#{at}"
            if (made := _object(component, urn, manifest)) is not None:
                found[urn] = made
    return found


def tells_all(component: Resource) -> bool:
    """Whether a component shows all of its objects."""
    props = component.props
    carries = not props.absent("objs") or not props.absent("yaml")
    return carries and not any(not props.absent(key) for key in _ELSEWHERE) and UNKNOWN not in _manifests(component)


def _manifests(component: Resource) -> list[Any]:
    objects = component.props.raw("objs")
    texts = component.props.raw("yaml")
    found = list(objects) if isinstance(objects, list | tuple) else [] if objects is None else [UNKNOWN]
    for text in texts if isinstance(texts, list | tuple) else [] if texts is None else [texts]:
        found += _documents(text) if isinstance(text, str) and len(text) <= _LONGEST else [UNKNOWN]
    return [entry for manifest in found for entry in _items(manifest)]


def _documents(text: str) -> list[Any]:
    try:
        return [document for document in yaml.load_all(text, _LOADER) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError):
        return [UNKNOWN]


def _items(manifest: Any) -> Iterator[Any]:
    """Yield an object, or those of a List."""
    items = manifest.get("items") if isinstance(manifest, Mapping) and manifest.get("kind") == "List" else None
    yield from items if isinstance(items, list) else [manifest]


def _object(component: Resource, urn: str, manifest: Any) -> Resource | None:
    if not isinstance(manifest, Mapping):
        return None
    props = Props(manifest)
    version, kind = props.text("apiVersion"), props.text("kind")
    if version is None or kind is None:
        return None
    token = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
    return Resource(
        token,
        props.text("metadata", "name") or component.name,
        urn,
        props,
        provider=component.provider,
        dependencies=(component.urn, *component.dependencies),
        options=component.options,
    )
