"""What every provider plugin does, in plain data; packages differ in a few methods.

A provider here has no state of its own: the stand-in cloud holds it, and the engine sends the rest along.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from inference.facts.wire import UNKNOWN, UNKNOWNS
from rehearsal import urns
from rehearsal.cloud import Asked, CloudError, model_of
from rehearsal.diffs import PropertyChange, differences, leaves
from rehearsal.providers import ties
from rehearsal.providers.world import Record, World
from rehearsal.replacement import replaces, replaces_by_value
from rehearsal.values import Secret

__all__ = ["Comparison", "Naming", "Properties", "Provider", "opened"]

Properties = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Naming:
    """How the engine wants automatic names made."""

    seed: bytes = b""
    """Random bytes of this registration; the same seed makes the same name."""
    proposed: str = ""
    """A name to take; empty for one of the provider's own making."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an update would change."""

    changes: tuple[PropertyChange, ...]
    delete_first: bool = False
    """Whether the old resource has to go before the new one can come: they have the same name."""

    @property
    def replaces(self) -> bool:
        """Whether it takes a new resource."""
        return any(change.replaces for change in self.changes)


@dataclass(frozen=True, slots=True)
class _Seeded(Asked):
    """A question whose digits belong to one registration or one creation, not to the resource in every run."""

    seed: bytes = b""

    def hexadecimal(self, length: int, salt: str = "") -> str:
        return hashlib.sha256(self.seed + f"{self.urn}{salt}".encode()).hexdigest()[:length]


class Provider(ABC):
    """The parts that all packages share."""

    package = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.configuration: Properties = {}

    def compare_configuration(self, old: Properties, new: Properties) -> Comparison:
        """Return what another configuration of the provider would change."""
        return Comparison(tuple(differences(old, new, _same)))

    def check(self, urn: str, old: Properties, new: Properties, naming: Naming) -> Properties:
        """Return inputs as the provider completes them.

        Args:
            urn: the resource.
            old: inputs of the resource that stands; empty for a new one.
            new: what the program asks for.
            naming: how to name it, where the program does not.

        Raises:
            CloudError: where it needs a name and may not have one made.
        """
        kept = self.kept_name(urn, old, new)
        if kept:
            return {**new, **kept}
        added = dict(model_of(self.package).check(_Seeded(urn, new, self.configuration, naming.seed)))
        return {**new, **self.named(added, naming)}

    @abstractmethod
    def kept_name(self, urn: str, old: Properties, new: Properties) -> Properties:
        """Return what carries the automatic name of the old inputs over into new ones; empty where there is none."""

    @abstractmethod
    def named(self, added: dict[str, object], naming: Naming) -> dict[str, object]:
        """Return what the check added, with the name that the engine wants."""

    def compare(self, urn: str, old: Properties, new: Properties) -> Comparison:
        """Return what changes between the inputs of a resource that stands and new ones.

        A value that is not known yet counts as changed, as it does for the real providers.
        """
        before, after = _comparable(opened(old)), _comparable(opened(new))
        token = urns.resource_type(urn)
        found = tuple(
            replace(change, replaces=self._forced(token, change)) for change in differences(before, after, _same)
        )
        forced = any(change.replaces for change in found)
        return Comparison(found, forced and self.same_name(old, new))

    def _forced(self, token: str, change: PropertyChange) -> bool:
        if replaces_by_value(token, change.path, change.old, change.new):
            return True
        return any(self.forces(token, path) for path in _paths(change))

    def forces(self, token: str, path: str) -> bool:
        """Whether a changed value makes a new resource, whatever it was and will be."""
        return replaces(token, path, self.configuration)

    @abstractmethod
    def same_name(self, old: Properties, new: Properties) -> bool:
        """Whether a new resource would collide with the old one."""

    def foresee(self, urn: str, inputs: Properties) -> Properties:
        """Return the outputs of a resource that does not exist yet: what nobody knows is unknown."""
        computed = model_of(self.package).create(self._asked(urn, inputs)).computed
        return {**inputs, **{key: _veiled(value, inputs.get(key)) for key, value in computed.items()}}

    def foresee_update(self, urn: str, id_: str, inputs: Properties) -> Properties:
        """Return the outputs after an update: computed ones stay, unless they follow from what is unknown."""
        standing = self.world.find(urns.resource_type(urn), id_, self.cluster)
        if standing is None:
            return self.foresee(urn, inputs)
        outputs = self._recomputed(replace(standing, revision=standing.revision + 1), inputs)
        return {key: value if key in inputs else _tainted(value) for key, value in outputs.items()}

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Create a resource; returns its id and outputs.

        Raises:
            CloudError: where the cloud refuses.
        """
        generation = self.world.generation(urn)
        created = model_of(self.package).create(self._asked(urn, inputs, generation))
        record = Record(urn, urns.resource_type(urn), created.id, self.cluster, opened(inputs), generation)
        standing = self.world.find(record.type, record.id, record.cluster)
        refused = ties.creation_refusal(record, standing, self.world)
        if refused:
            raise CloudError(refused)
        self.world.keep(replace(record, inputs=inputs))
        return created.id, self._outputs(inputs, created.computed, record)

    def update(self, urn: str, id_: str, inputs: Properties) -> Properties:
        """Change a resource in place; returns its outputs.

        Raises:
            CloudError: where it is not there, or cannot change so.
        """
        standing = self.world.find(urns.resource_type(urn), id_, self.cluster)
        if standing is None:
            raise CloudError(f"{id_} was not found")
        refused = ties.update_refusal(standing, opened(inputs), self.world)
        if refused:
            raise CloudError(refused)
        record = replace(standing, inputs=inputs, revision=standing.revision + 1)
        self.world.keep(record)
        return self._recomputed(record, inputs)

    def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties) -> tuple[Properties, Properties] | None:
        """Return inputs and outputs of a resource as it stands; ``None`` where it is gone.

        Nothing here changes behind the engine's back, so what the engine knows still holds. What it knows nothing of
        is taken to have been there before the stack.
        """
        standing = self.world.find(urns.resource_type(urn), id_, self.cluster)
        if standing is None:
            if inputs:
                return None
            computed = model_of(self.package).create(self._asked(urn, outputs)).computed
            return {}, {**outputs, **computed}
        if inputs:
            return inputs, outputs
        return standing.inputs, self._recomputed(standing, standing.inputs)

    def delete(self, urn: str, id_: str) -> None:
        """Delete a resource; none is as good.

        Raises:
            CloudError: where something else still needs it.
        """
        standing = self.world.find(urns.resource_type(urn), id_, self.cluster)
        if standing is None:
            return
        refused = ties.deletion_refusal(standing, self.world)
        if refused:
            raise CloudError(refused)
        ties.remove(standing, self.world)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a question of the program.

        Raises:
            CloudError: where the model has no answer.
        """
        return model_of(self.package).invoke(token, arguments, self.configuration)

    @property
    def cluster(self) -> str:
        """Id of the cluster that the provider talks to; empty where it talks to none."""
        return ""

    def computed(self, outputs: Properties, record: Record) -> Properties:  # noqa: ARG002 - for packages that care
        """Return outputs as the provider reports them."""
        return outputs

    def _recomputed(self, record: Record, inputs: Properties) -> Properties:
        asked = self._asked(record.urn, inputs, record.generation)
        return self._outputs(inputs, model_of(self.package).create(asked).computed, record)

    def _outputs(self, inputs: Properties, computed: Properties, record: Record) -> Properties:
        return self.computed({**inputs, **_secret_as(inputs, computed)}, record)

    def _asked(self, urn: str, inputs: Properties, generation: int = 0) -> Asked:
        if generation:
            return _Seeded(urn, inputs, self.configuration, str(generation).encode())
        return Asked(urn, inputs, self.configuration)


def opened(value: Properties) -> dict[str, object]:
    """Return properties without the marks of secrets."""
    return {key: _opened(inner) for key, inner in value.items()}


def _opened(value: object) -> object:
    match value:
        case Secret():
            return _opened(value.value)
        case str():
            return value
        case Mapping():
            return opened(value)
        case Sequence():
            return [_opened(inner) for inner in value]
        case _:
            return value


def _comparable(inputs: Properties) -> Properties:
    return {key: value for key, value in inputs.items() if not key.startswith("__")}


def _paths(change: PropertyChange) -> Iterator[str]:
    yield change.path
    for side in (change.old, change.new):
        yield from leaves(change.path, side)


def _same(old: object, new: object) -> bool:
    """Whether two parts are the same: containers are entered, and what is unknown may turn out different."""
    if any(isinstance(side, Mapping | list) or (isinstance(side, str) and side in UNKNOWNS) for side in (old, new)):
        return False
    return isinstance(old, bool) == isinstance(new, bool) and old == new


def _veiled(computed: object, given: object) -> object:
    """Return a computed value with all that does not come from the inputs unknown."""
    given = given.value if isinstance(given, Secret) else given
    if isinstance(computed, Mapping) and isinstance(given, Mapping):
        return {**given, **{key: _veiled(value, given.get(key)) for key, value in computed.items()}}
    return UNKNOWN if given is None else given


def _tainted(computed: object) -> object:
    """Return a computed value, unknown wherever an unknown input is part of it."""
    match computed:
        case str():
            return UNKNOWN if any(unknown in computed for unknown in UNKNOWNS) else computed
        case Secret():
            return Secret(_tainted(computed.value))
        case Mapping():
            return {key: _tainted(value) for key, value in computed.items()}
        case Sequence():
            return [_tainted(value) for value in computed]
        case _:
            return computed


def _secret_as(inputs: Properties, computed: Properties) -> Properties:
    """Return outputs of which those are secret whose inputs are."""
    return {
        key: Secret(value) if isinstance(inputs.get(key), Secret) and not isinstance(value, Secret) else value
        for key, value in computed.items()
    }
