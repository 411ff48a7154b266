"""From the policy SDK's own arguments to the resources that rules judge: the way of the SDK's own loop.

The SDK removes the marks of secrets before a policy sees its arguments. So there are two readings of the same
arguments, one in which nothing is secret and one in which everything is; what holds in both does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_policy import (
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    StackValidationArgs,
)
from pulumi_policy.proxy import UnknownValueError

from inference.rules.views.resources import Provider, Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props, Secret

__all__ = ["resource_of", "stack_of"]


def resource_of(args: ResourceValidationArgs, *, secret: bool) -> Resource:
    """Return the resource of a resource policy's arguments, all of it secret or nothing."""
    return Resource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        props=_props(args.props, secret=secret),
        parent=args.opts.parent or "",
        provider=_provider(args.provider, secret=secret),
        options=_options(args.opts),
    )


def stack_of(args: StackValidationArgs, *, secret: bool) -> Stack:
    """Return the stack of a stack policy's arguments, all of it secret or nothing."""
    return Stack(_resource(resource, secret=secret) for resource in args.resources)


def _resource(resource: PolicyResource, *, secret: bool) -> Resource:
    return Resource(
        type=resource.resource_type,
        name=resource.name,
        urn=resource.urn,
        props=_props(resource.props, secret=secret),
        parent=(resource.parent.urn if resource.parent else "") or resource.opts.parent or "",
        provider=_provider(resource.provider, secret=secret),
        dependencies=tuple(other.urn for other in resource.dependencies),
        property_dependencies={
            name: tuple(other.urn for other in others) for name, others in resource.property_dependencies.items()
        },
        options=_options(resource.opts),
    )


def _provider(provider: PolicyProviderResource | None, *, secret: bool) -> Provider | None:
    if provider is None:
        return None
    return Provider(provider.resource_type, provider.name, provider.urn, _props(provider.props, secret=secret))


def _props(props: Mapping[str, Any], *, secret: bool) -> Props:
    plain = {name: _item(props, name) for name in props}
    return Props({name: Secret(value) for name, value in plain.items()} if secret else plain)


def _item(container: Any, key: Any) -> Any:
    try:
        value = container[key]
    except UnknownValueError:
        return UNKNOWN
    match value:
        case str():
            return value
        case Mapping():
            return {name: _item(value, name) for name in value}
        case Sequence():
            return [_item(value, index) for index in range(len(value))]
        case pulumi.AssetArchive():
            return {"assets": {name: _item(value.assets, name) for name in value.assets}}
        case pulumi.Asset() | pulumi.Archive():
            return {name: part for name in ("path", "text", "uri") if (part := getattr(value, name, None)) is not None}
        case _:
            return value


def _options(options: PolicyResourceOptions) -> Props:
    timeouts = {
        name: seconds
        for name in ("create", "update", "delete")
        if (seconds := getattr(options.custom_timeouts, f"{name}_seconds"))
    }
    found = {
        "ignoreChanges": list(options.ignore_changes),
        "additionalSecretOutputs": list(options.additional_secret_outputs),
        "aliases": list(options.aliases),
        "customTimeouts": timeouts,
        "parent": options.parent,
    }
    given: dict[str, Any] = {name: value for name, value in found.items() if value}
    if options.delete_before_replace is not None:
        given["deleteBeforeReplace"] = options.delete_before_replace
    return Props({"protect": options.protect, **given})
