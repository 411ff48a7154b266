"""What a program would do: one step per resource, in the order of registration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rehearsal.urns import STACK, is_default_provider, parse
from rehearsal.values import BLINDED, secrets_in

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

__all__ = ["Diagnostic", "Options", "Plan", "ResourceState", "Step", "Timeouts", "Wire"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the engine waits for an operation, seconds; 0 for the provider's own."""

    create: float = 0.0
    update: float = 0.0
    delete: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Resource options other than parent, provider, protect and dependencies."""

    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    hide_diffs: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    """``None`` where the program left it to the provider."""
    retain_on_delete: bool = False
    deleted_with: str = ""
    """URN of the resource whose deletion takes this one along."""
    replace_with: tuple[str, ...] = ()
    import_id: str = ""
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, slots=True)
class Wire:
    """The messages a state was decoded from, so that nobody has to encode them again."""

    inputs: Struct
    outputs: Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceState:
    """A resource as it was asked for, or as it stands."""

    urn: str
    custom: bool
    """Whether a provider manages it; otherwise it is a component."""
    id: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict)
    """Properties in the provider's spelling; secrets are marked, see ``values``."""
    outputs: Mapping[str, object] = field(default_factory=dict)
    """Properties after the operation; for a component, what it registered."""
    parent: str = ""
    provider: str = ""
    """Reference ``urn::id`` of the provider."""
    protect: bool = False
    external: bool = False
    """Whether the program only reads it."""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Options = Options()
    source_position: str = ""
    """Where in the program it was made: ``project:///__main__.py#7``."""
    wire: Wire | None = field(default=None, repr=False, compare=False)

    @property
    def type(self) -> str:
        """Type token."""
        return parse(self.urn).type

    @property
    def name(self) -> str:
        """Logical name."""
        return parse(self.urn).name


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: ``create``, ``update``, ``replace``, ``delete``, ``same``, or another of the engine's."""

    op: str
    state: ResourceState
    """The new state; for a deletion, the one that goes."""

    @property
    def urn(self) -> str:
        return self.state.urn


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something that the program or the engine said."""

    severity: str
    """``info``, ``warning`` or ``error``."""
    message: str
    urn: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything a program asked for."""

    steps: tuple[Step, ...]
    config: Mapping[str, str] = field(default_factory=dict)
    """Configuration by full key; objects as JSON, secrets blinded."""
    diagnostics: tuple[Diagnostic, ...] = ()
    duration: int = 0
    """Nanoseconds the program took."""

    def __iter__(self) -> Iterator[ResourceState]:
        return (step.state for step in self.steps)

    @cached_property
    def by_urn(self) -> Mapping[str, ResourceState]:
        """The states by URN."""
        return {state.urn: state for state in self}

    @cached_property
    def shown(self) -> tuple[Step, ...]:
        """The steps without the default providers, which the engine makes and no preview shows."""
        return tuple(step for step in self.steps if not is_default_provider(step.urn))

    @cached_property
    def changes(self) -> Mapping[str, int]:
        """How many steps of each operation."""
        return dict(Counter(step.op for step in self.shown))

    @cached_property
    def outputs(self) -> Mapping[str, object]:
        """What the stack exports."""
        return next((state.outputs for state in self if state.type == STACK), {})

    def of_type(self, *tokens: str) -> tuple[ResourceState, ...]:
        """Return the states of these types."""
        return tuple(state for state in self if state.type in tokens)

    @cached_property
    def _secrets(self) -> tuple[str, ...]:
        texts = {text for state in self for props in (state.inputs, state.outputs) for text in secrets_in(props)}
        return tuple(sorted((text for text in texts if len(text) >= _SHORTEST_SECRET), key=len, reverse=True))

    def blind(self, text: str) -> str:
        """Return a text with every secret of the plan that it quotes replaced by ``[secret]``."""
        for secret in self._secrets:
            text = text.replace(secret, BLINDED)
        return text


_SHORTEST_SECRET = 6
"""Characters; replacing shorter texts would garble words that have nothing to do with the secret."""
