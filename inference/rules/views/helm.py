"""Helm charts as Pulumi installs them, and the values they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Props, Secret

__all__ = ["HelmRelease"]

_ARCHIVE = re.compile(r"(-chart)?(-v?\d[\w.+-]*)?\.tgz$")
_DEPTH = 12


@dataclass(frozen=True, eq=False)
class HelmRelease:
    """A ``Release``, or a ``Chart`` that Pulumi renders itself."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:helm.sh/",)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a release or chart; none where its inputs are not shown, as for a v3 Chart."""
        kind = resource.type.rpartition(":")[2]
        return (cls(resource),) if kind in {"Release", "Chart"} and resource.props else ()

    @property
    def props(self) -> Props:
        return self.resource.props

    @property
    def kind(self) -> str:
        """``Release`` or ``Chart``."""
        return self.resource.type.rpartition(":")[2]

    @property
    def reference(self) -> str | None:
        """The chart as written: a name, a path, an archive, an ``oci://`` address."""
        return self.props.text("chart")

    @cached_property
    def chart(self) -> str:
        """Bare name of the chart, empty where it is not known."""
        last = (self.reference or "").rstrip("/").rpartition("/")[2]
        return _ARCHIVE.sub("", last).partition("@")[0].partition(":")[0]

    @property
    def local(self) -> bool:
        """Whether the chart is a folder or archive on disk, whose files are its version."""
        return (self.reference or "").startswith(("./", "../", "/", "~", "file:"))

    @property
    def version(self) -> str | None:
        return self.props.text("version")

    @property
    def name(self) -> str | None:
        """Name of the release; a Chart without one takes the resource's."""
        if self.props.absent("name"):
            return self.resource.name if self.kind == "Chart" else None
        return self.props.text("name")

    @property
    def namespace(self) -> str | None:
        """Namespace, ``None`` where it is not known."""
        return "default" if self.props.absent("namespace") else self.props.text("namespace")

    @cached_property
    def values(self) -> Props:
        """The values given inline."""
        return self.props.section("values")

    @property
    def whole(self) -> bool:
        """Whether all values are shown, so that a key that is not among them is certainly not set."""
        return self.props.absent("valueYamlFiles") and self.props.known("values")

    def leaves(self) -> Iterator[tuple[str, Any, bool]]:
        """Yield path, value and secretness of every scalar among the values."""
        yield from _leaves(self.props.raw("values"), "", secret=self.props.secret("values"), depth=_DEPTH)

    def __str__(self) -> str:
        return f'Helm {self.kind.lower()} "{self.name or self.resource.name}"'


def _leaves(value: Any, path: str, *, secret: bool, depth: int) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(value, Secret):
        value, secret = value.value, True
    if depth == 0 or value is UNKNOWN:
        return
    if isinstance(value, Mapping):
        for key, nested in value.items():
            yield from _leaves(nested, f"{path}.{key}" if path else str(key), secret=secret, depth=depth - 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for position, nested in enumerate(value):
            yield from _leaves(nested, f"{path}[{position}]", secret=secret, depth=depth - 1)
    elif value is not None:
        yield path, value, secret
