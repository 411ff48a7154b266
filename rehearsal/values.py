"""Property values as a plan holds them: plain data, secrets marked, unknowns kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["BLINDED", "Secret", "holds_secret", "masked", "secrets_in"]

BLINDED = "[secret]"
"""What Pulumi's previews print in the place of a secret."""


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
