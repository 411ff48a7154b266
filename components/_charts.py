"""A Helm chart as a component installs it: pinned, in a namespace of its own, there only when it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

from components._kubernetes import create_namespace
from inference.facts.versions import Component

__all__ = ["install", "install_apart"]


def install_apart(
    parent: pulumi.Resource, name: str, chart: Component, *, release: str, namespace: str, values: Mapping[str, Any]
) -> Release:
    """Register a namespace, and in it a release of a pinned chart; ``name`` is that of the component."""
    home = create_namespace(parent, f"{name}-namespace", namespace)
    return install(parent, f"{name}-release", chart, release=release, namespace=namespace, values=values, after=[home])


def install(
    parent: pulumi.Resource,
    name: str,
    chart: Component,
    *,
    release: str,
    namespace: str,
    values: Mapping[str, Any],
    after: Sequence[pulumi.Resource],
) -> Release:
    """Register a release of a pinned chart.

    It is atomic: a release that does not become ready in ten minutes is rolled back, so that whatever depends on it
    never meets half a controller.

    Args:
        parent: the component.
        name: logical name.
        chart: what to install.
        release: name of the release in the cluster.
        namespace: where it goes.
        values: what differs from the chart's own values.
        after: what must be there before.
    """
    return Release(
        name,
        name=release,
        chart=chart.artifact,
        version=chart.version,
        repository_opts=RepositoryOptsArgs(repo=chart.repository) if chart.repository else None,
        namespace=namespace,
        atomic=True,
        timeout=600,
        values=values,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(after)),
    )
