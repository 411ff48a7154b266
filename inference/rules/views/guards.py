"""What a program asks the engine to refuse or to overlook: protection and ignored changes."""

from __future__ import annotations

import re

from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

__all__ = ["explicit", "guards_known", "ignores", "observed", "protected"]


def guards_known(resource: Resource) -> bool:
    """Whether the options are shown at all; a bare manifest has none to show."""
    return not resource.options.absent("protect")


def protected(resource: Resource) -> bool:
    """Whether the engine refuses to delete and to replace it."""
    return resource.options.flag("protect") is True


def ignores(resource: Resource, path: str) -> bool:
    """Whether changes of a property are ignored, by its own name or one above it."""
    return any(_covers(entry, path) for entry in resource.options.texts("ignoreChanges"))


def _covers(entry: str, path: str) -> bool:
    plain = re.sub(r'\[["\']?([^"\'\]]+)["\']?\]', r".\1", entry).removeprefix(".")
    camel = re.sub(r"_([a-z])", lambda match: match.group(1).upper(), plain)
    return camel == "*" or path == camel or path.startswith(f"{camel}.")


def explicit(resource: Resource, key: str) -> bool:
    """Whether the program itself gives a property; the provider lists what it filled in under ``__defaults``."""
    return not resource.props.absent(key) and key not in resource.props.texts("__defaults")


def observed(props: Props) -> bool:
    """Whether these are the properties of a cluster or pool that is there, with all that the provider filled in.

    What the program itself wrote is not to be told from them.
    """
    urls = ("instanceGroupUrls", "managedInstanceGroupUrls")
    return bool(props.text("masterVersion")) or any(props.size(key) is not None for key in urls)
