"""NetworkPolicies: nothing reaches the models' namespace, or leaves it, but what the stack itself needs.

Owns: the policies of the namespace. Leaves alone: those of other namespaces, and firewall rules of the VPC.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components._kubernetes import create
from inference.blueprint import Blueprint
from inference.manifests.network_policies import policies

__all__ = ["NetworkPolicies", "NetworkPoliciesArgs"]

TOKEN = "gke-inference:index:NetworkPolicies"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class NetworkPoliciesArgs:
    """What the component is made of."""

    plan: Blueprint
    """The stack, whose models decide which policies there are."""


class NetworkPolicies(pulumi.ComponentResource):
    """Creates two policies for all pods, and up to two for each model."""

    def __init__(self, name: str, args: NetworkPoliciesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        made = policies(args.plan)
        super().__init__(TOKEN, name, {"policies": [policy["metadata"]["name"] for policy in made]}, opts)
        for policy in made:
            create(f"{name}-{policy['metadata']['name']}", policy, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"policies": len(made)})
