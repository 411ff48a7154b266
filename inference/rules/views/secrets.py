"""Which Secrets and ConfigMaps are in a namespace, and with which keys."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inference.rules.views.installers import may_bring
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.stack import Stack

__all__ = ["keys_of", "missing"]

_ISSUED = re.compile(r"(?:^|-)(?:tls|certs?|certificates?|ca|webhook)(?:-|$)")
"""Names of Secrets with certificates, which controllers make at run time."""


def missing(stack: Stack, kind: str, name: str, namespace: str) -> str | None:
    """Return why a Secret or ConfigMap is certainly not in a namespace; ``None`` where it is or may be."""
    if stack.object(kind, "", name, namespace) is not None or may_bring(stack, namespace):
        return None
    if name in stack.view(_made).get(namespace, ()):
        return None
    by_namespace, settled = stack.view(_declared).get(kind, ({}, True))
    if not settled:
        return None
    elsewhere = sorted(place for place, names in by_namespace.items() if name in names)
    if elsewhere:
        return f"the program declares it in namespace {elsewhere[0]} only"
    if _ISSUED.search(name):
        return None
    if names := by_namespace.get(namespace):
        return f"the program declares {', '.join(sorted(names)[:5])} there"
    return None


def keys_of(thing: KubernetesObject) -> frozenset[str] | None:
    """Return the keys of a Secret or ConfigMap, ``None`` where they are not all known."""
    places = ("data", "stringData") if thing.kind == "Secret" else ("data", "binaryData")
    filled_in = thing.kind == "Secret" and thing.props.text("type") == "kubernetes.io/service-account-token"
    if filled_in or thing.resource.type.endswith("Patch") or not all(thing.props.known(place) for place in places):
        return None
    if any(thing.props.text(place) is not None for place in places):
        # A preview blinds a secret map as one text.
        return None
    return frozenset(key for place in places for key in thing.props.section(place))


def _declared(stack: Stack) -> dict[str, tuple[dict[str, set[str]], bool]]:
    found = {}
    for kind in ("Secret", "ConfigMap"):
        things = stack.objects(kind, "")
        names: dict[str, set[str]] = defaultdict(set)
        for thing in things:
            if thing.name is not None:
                names[thing.namespace].add(thing.name)
        found[kind] = (dict(names), all(thing.placed for thing in things))
    return found


def _made(stack: Stack) -> dict[str, frozenset[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for thing in stack.each(KubernetesObject):
        names[thing.namespace].update(name for name in _names(thing) if name)
    return {namespace: frozenset(found) for namespace, found in names.items()}


def _names(thing: KubernetesObject) -> Iterator[str | None]:
    match (thing.group, thing.kind):
        case ("external-secrets.io", "ExternalSecret" | "ClusterExternalSecret"):
            yield thing.spec.text("target", "name") or thing.name
        case ("bitnami.com", "SealedSecret") | ("secrets.hashicorp.com", _):
            yield thing.spec.text("destination", "name") or thing.name
        case ("cert-manager.io", "Certificate"):
            yield thing.spec.text("secretName")
        case ("secrets-store.csi.x-k8s.io" | "secrets-store.csi.x-k8s-io", "SecretProviderClass"):
            for entry in thing.spec.sections("secretObjects"):
                yield entry.text("secretName")
        case ("secret-sync.gke.io", _):
            yield thing.name
        case _:
            return
