"""ProjectServices: the Google APIs that the stack needs.

Owns: enabling them. Leaves alone: disabling, because other stacks of the project use them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

__all__ = ["ProjectServices", "ProjectServicesArgs"]

TOKEN = "gke-inference:index:ProjectServices"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class ProjectServicesArgs:
    """What the component is made of."""

    services: Iterable[str]
    """Host names of the APIs, such as ``container.googleapis.com``."""


class ProjectServices(pulumi.ComponentResource):
    """Creates one ``gcp:projects:Service`` for each API."""

    def __init__(self, name: str, args: ProjectServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        services = sorted(set(args.services))
        super().__init__(TOKEN, name, {"services": services}, opts)
        for service in services:
            gcp.projects.Service(
                f"{name}-{service.partition('.')[0]}",
                service=service,
                disable_on_destroy=False,
                disable_dependent_services=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
