"""The picture of a change, ready to be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inference.rules.views.stack import Stack
from rehearsal.picture.bounds import grouped
from rehearsal.picture.changes import changed
from rehearsal.picture.graph import Topology
from rehearsal.picture.topology import topology
from rehearsal.texts import plain

__all__ = ["drawing"]


def drawing(
    before: Stack | None,
    after: Stack | None,
    operations: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
    blind: Callable[[str], str] = str,
) -> Topology:
    """Return the picture of a change.

    Args:
        before: the program as it stands; ``None`` where nothing does.
        after: the program as it shall be; ``None`` where all of it goes.
        operations: operation of every changed resource by URN; without any, the picture of a stack as it is.
        renamed: new URN of each resource that the program calls by another name now, by its old one.
        blind: takes the secrets out of a text.
    """
    old = topology(before, renamed) if before is not None else None
    new = topology(after) if after is not None else None
    picture = grouped(changed(old, new, operations)) if operations or old is not None else grouped(new or Topology())
    return picture.told(lambda text: plain(blind(text)).replace("\n", " "))
