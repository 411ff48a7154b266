"""The built-in kinds that stacks make are served by their clusters, and known to the SDK that makes them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import kubernetes_validate
import pytest

from inference.facts.versions import GKE_MINIMUM
from tests.support.definitions import KUBERNETES
from tests.support.rehearsed import rehearsed
from tests.support.stackobjects import STACKS, is_custom, manifests

NEWEST = kubernetes_validate.latest_version()


def built_in() -> set[tuple[str, str]]:
    """Return apiVersion and kind of every built-in object of every stack."""
    return {
        (manifest["apiVersion"], manifest["kind"])
        for path in STACKS.values()
        for manifest in manifests(path)
        if not is_custom(manifest)
    }


def serves(version: str, api_version: str, kind: str) -> bool:
    """Whether a Kubernetes version has a kind."""
    try:
        kubernetes_validate.validate({"apiVersion": api_version, "kind": kind}, version)
    except kubernetes_validate.SchemaNotFoundError:
        return False
    except kubernetes_validate.ValidationError:
        pass  # an empty object of a kind that is there
    return True


@pytest.mark.parametrize("version", [KUBERNETES, NEWEST])
def test_a_cluster_serves_every_built_in_kind_that_stacks_make(version: str) -> None:
    assert len(built_in()) >= 15
    assert not [kind for kind in sorted(built_in()) if not serves(version, *kind)]


def test_the_newest_version_is_newer_than_the_one_of_the_stacks() -> None:
    assert [int(part) for part in NEWEST.split(".")[:2]] > [int(part) for part in KUBERNETES.split(".")]


def test_what_a_version_does_not_serve_is_told() -> None:
    assert not serves(KUBERNETES, "extensions/v1beta1", "Ingress")
    assert not serves(KUBERNETES, "apps/v1", "Deployments")


def test_claims_are_stable_from_the_version_on_that_the_table_names() -> None:
    minimum = GKE_MINIMUM["dra"].version
    claim = ("resource.k8s.io/v1", "ResourceClaimTemplate")
    assert claim in built_in()
    assert serves(f"{minimum.major}.{minimum.minor}", *claim)
    assert not serves(f"{minimum.major}.{minimum.minor - 1}", *claim)


def classes() -> Iterator[tuple[str, str, str]]:
    """Yield type, module and class of every built-in object that a stack makes through the SDK."""
    tokens = {
        state.type for path in STACKS.values() for state in rehearsed(path) if state.type.startswith("kubernetes:")
    }
    for token in sorted(tokens):
        _, api, kind = token.split(":")
        if not is_custom({"apiVersion": api}):
            group, _, version = api.partition("/")
            yield token, f"pulumi_kubernetes.{group.partition('.')[0]}.{version}", kind


def test_the_sdk_has_a_class_for_every_built_in_kind_under_the_same_type() -> None:
    found = list(classes())
    assert len(found) >= 15
    for token, module, kind in found:
        made = getattr(importlib.import_module(module), kind)
        assert made.pulumi_type == token
