"""Property values as a reader needs them: short, without secrets, and only those that mean something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from inference.facts.wire import UNKNOWNS
from inference.rules.views.credentials import named_like_credential, shape_of
from rehearsal.diffs import Change, PropertyChange
from rehearsal.values import BLINDED, masked

__all__ = ["Names", "hidden", "is_noise", "opened", "pair", "shown"]

_WIDTH = 80
"""Characters of a value that are shown."""
_LEAD = 12
"""Characters that are shown before the first difference of two long texts."""

_HIDDEN_PROPERTIES: Mapping[str, frozenset[str]] = {
    "kubernetes:core/v1:Secret": frozenset({"data", "stringData"}),
    "gcp:secretmanager/secretVersion:SecretVersion": frozenset({"secretData"}),
    "pulumi:providers:kubernetes": frozenset({"kubeconfig"}),
    "pulumi:providers:gcp": frozenset({"accessToken", "credentials"}),
}
"""Properties that are nobody's to read, also where a program forgot to call them secret."""

_QUOTED = re.compile(r'\[("(?:[^"\\]|\\.)*")\]$')
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{8,128}")
_DIGEST_KEY = re.compile(r"checksum/.*|.*(?:check-?sum|hash|fingerprint|etag)", re.IGNORECASE)


def opened(value: object) -> object:
    """Return a value as plain data that JSON can hold, secrets masked and unknown values named."""
    return _known(masked(value))


def _known(value: object) -> object:
    match value:
        case str():
            return "unknown until the update" if value in UNKNOWNS else value
        case Mapping():
            return {str(key): _known(inner) for key, inner in value.items()}
        case Sequence():
            return [_known(inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)


def shown(value: object) -> str:
    """Return a value in one line of a table."""
    return _cut(_text(opened(value)))


def pair(old: object, new: object) -> tuple[str, str]:
    """Return two values so that their difference is to be seen, however long they are."""
    left, right = _text(opened(old)), _text(opened(new))
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    if max(len(left), len(right)) > _WIDTH and start > _LEAD:
        left, right = (f"…{side[start - _LEAD :]}" for side in (left, right))
    return _cut(left), _cut(right)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    line = " ".join(text[: 20 * _WIDTH].split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def hidden(token: str, change: PropertyChange, blind: Callable[[str], str]) -> PropertyChange:
    """Return a change without what nobody may read.

    Args:
        token: type of the resource.
        change: the property.
        blind: removes the secrets that a plan knows of from a text that quotes them.
    """
    named = named_like_credential(_key(change)) and not _plain(change)
    named = named or (bool(change.option) and named_like_credential(change.option.lstrip("-")))
    secret = named or change.top in _HIDDEN_PROPERTIES.get(token, ())
    old, new = (_blinded(side, blind, secret=secret) for side in (change.old, change.new))
    return replace(change, old=old, new=new)


def _key(change: PropertyChange) -> str:
    """Return the last key of a path: of ``metadata.annotations["a/b"]``, ``a/b``."""
    quoted = _QUOTED.search(change.path)
    return str(json.loads(quoted[1])) if quoted else re.split(r"[.\[]", change.path)[-1]


def _plain(change: PropertyChange) -> bool:
    """Whether a property that is named like a credential holds none: a reference, a number, a flag."""
    return not any(isinstance(side, str) and len(side) >= 20 for side in (change.old, change.new))


def _blinded(value: object, blind: Callable[[str], str], *, secret: bool) -> object:
    match value:
        case None:
            return None
        case _ if secret:
            return BLINDED
        case str():
            return BLINDED if shape_of(value) else blind(value)
        case Mapping():
            return {key: _blinded(inner, blind, secret=False) for key, inner in value.items()}
        case Sequence():
            return [_blinded(inner, blind, secret=False) for inner in value]
        case _:
            return value


class Names:
    """The identities that a change gives to resources: a value that only takes one over says nothing of its own."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._renamed: dict[tuple[str, str], str] = {}
        for change in changes:
            if change.old is None or change.new is None or change.op == "same":
                continue
            for key in ("id", "name", "selfLink", "location", "region", "project", "zone"):
                pair_of = tuple(
                    side.outputs.get(key, side.inputs.get(key, side.id if key == "id" else None))
                    for side in (change.old, change.new)
                )
                if all(isinstance(side, str) and side for side in pair_of) and pair_of[0] != pair_of[1]:
                    self._renamed.setdefault((str(pair_of[0]), str(pair_of[1])), change.urn)

    def followed(self, urn: str, change: PropertyChange) -> str:
        """Return the URN of the resource whose identity a property takes over; empty where it is its own."""
        if change.follows:
            return change.follows
        if not isinstance(change.old, str) or not isinstance(change.new, str):
            return ""
        source = self._renamed.get((change.old, change.new), "")
        return source if source != urn else ""


def is_noise(change: PropertyChange) -> bool:
    """Whether a property is a digest of others, which changes whenever they do."""
    if change.replaces or not _DIGEST_KEY.fullmatch(_key(change)):
        return False
    return all(side is None or (isinstance(side, str) and _DIGEST.fullmatch(side)) for side in (change.old, change.new))
