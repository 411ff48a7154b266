"""Property values as a plan holds them: plain data, secrets marked, unknowns kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "BLINDED",
    "OUTPUT_SIGNATURE",
    "SECRET_SIGNATURE",
    "SIGNATURE",
    "UNKNOWN",
    "UNKNOWNS",
    "Secret",
    "holds_secret",
    "masked",
    "secrets_in",
]

BLINDED = "[secret]"
"""What Pulumi's previews print in the place of a secret."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key that marks a special value on the wire and in an exported state."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that only an update will know; a preview carries it in the place of the value."""

UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""The engine's marks for an unknown string, boolean, number, list, asset, archive and object."""


SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's public mark of a secret, not one
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that no report may show."""

    value: object
    """The value, or its ciphertext."""
    sealed: bool = False
    """Whether only the ciphertext is known, as in an exported state."""

    def __repr__(self) -> str:
        return BLINDED

    __str__ = __repr__


def masked(value: object) -> object:
    """Return a value with every secret replaced by ``[secret]``; of a secret map the keys stay."""
    match value:
        case Secret(value=Mapping() as inside):
            return dict.fromkeys(inside, BLINDED)
        case Secret():
            return BLINDED
        case str():
            return value
        case Mapping():
            return {key: masked(inner) for key, inner in value.items()}
        case Sequence():
            return [masked(inner) for inner in value]
        case _:
            return value


def holds_secret(value: object) -> bool:
    """Whether a value is a secret, was blinded, or has such a part."""
    match value:
        case Secret():
            return True
        case str():
            return value == BLINDED
        case Mapping():
            return any(holds_secret(inner) for inner in value.values())
        case Sequence():
            return any(holds_secret(inner) for inner in value)
        case _:
            return False


def secrets_in(value: object, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts that are secret in a value."""
    match value:
        case Secret():
            yield from secrets_in(value.value, inside=True)
        case str():
            if inside:
                yield value
        case Mapping():
            for inner in value.values():
                yield from secrets_in(inner, inside=inside)
        case Sequence():
            for inner in value:
                yield from secrets_in(inner, inside=inside)
        case _:
            return
