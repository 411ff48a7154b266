"""The comparisons: what a stack needs against what its project answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeVar

from inference.estimates import requirements
from inference.estimates.requirements import Version
from inference.estimates.reservations import Consumer, Reservation
from inference.facts.machines import machine
from rehearsal.preflight import repairs
from rehearsal.preflight.questions import Cloud, NotAnsweredError, ReservationFound

__all__ = [
    "Answer",
    "Check",
    "apis",
    "asked",
    "machines",
    "permissions",
    "profiles",
    "reservation",
    "versions",
    "without_project",
]

T = TypeVar("T")


class Answer(Enum):
    """What came of a check."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "could not be asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison."""

    topic: str
    """``quota``, ``reservation``, ``machine``, ``api``, ``permission``, ``version``, ``network profile``."""
    subject: str
    """What was compared."""
    answer: Answer
    detail: str
    """What was found, or why nothing was."""
    repair: str = ""
    """Command that would mend it, or show what there is; empty where there is none."""


def asked(topic: str, subject: str, question: Callable[[], T]) -> T | Check:
    """Return an answer, or the check that says why there is none."""
    try:
        return question()
    except NotAnsweredError as error:
        return Check(topic=topic, subject=subject, answer=Answer.UNKNOWN, detail=str(error))


def without_project(topic: str, subject: str) -> Check:
    """Return the check of something whose project the program does not tell."""
    detail = "neither the program nor its provider names a project: name one with --project"
    return Check(topic=topic, subject=subject, answer=Answer.UNKNOWN, detail=detail)


def reservation(cloud: Cloud, wanted: Reservation, deployed: int) -> Iterator[Check]:
    """Compare a named reservation with what its consumers are made of.

    Args:
        cloud: answers.
        wanted: the reservation that the program names.
        deployed: how many of its machines the stack itself may use already.
    """
    subject = f"reservation {wanted.name}"
    if wanted.declared:
        detail = "the program makes it: whether its zone has the machines shows then"
        yield Check(topic="reservation", subject=subject, answer=Answer.OK, detail=detail)
        return
    if wanted.project is None:
        yield without_project("reservation", subject)
        return
    if not wanted.zones:
        detail = "the program does not tell in which zone its nodes stand"
        yield Check(topic="reservation", subject=subject, answer=Answer.UNKNOWN, detail=detail)
        return
    project, total, missing = wanted.project, 0, 0
    for zone in wanted.zones:
        found = asked("reservation", f"{subject} in {zone}", partial(cloud.reservation, project, zone, wanted.name))
        if isinstance(found, Check):
            yield found
            return
        if found is None:
            missing += 1
            if len(wanted.zones) == 1:
                kind = next(iter(wanted.machine_types), "MACHINE_TYPE")
                beside = next(filter(None, map(_beside, wanted.consumers)), None)
                yield Check(
                    topic="reservation",
                    subject=f"{subject} in {zone}",
                    answer=Answer.WRONG,
                    detail=f"{project} has no reservation of this name there",
                    repair=repairs.reserve(project, zone, wanted.name, kind, wanted.most or 1, beside),
                )
            continue
        total += max(found.count - max(found.in_use - deployed, 0), 0)
        for consumer in wanted.consumers:
            if consumer.zones is None or zone in consumer.zones:
                yield _matching(f"{subject} in {zone}", found, consumer)
                if consumer.block:
                    yield _block(cloud, project, zone, wanted.name + consumer.block)
    if missing < len(wanted.zones):
        yield _room(subject, wanted, total)
    elif len(wanted.zones) > 1:
        detail = f"{project} has no reservation of this name in {', '.join(wanted.zones)}"
        yield Check(topic="reservation", subject=subject, answer=Answer.WRONG, detail=detail)


def _block(cloud: Cloud, project: str, zone: str, path: str) -> Check:
    subject = f"reservation {path} in {zone}"
    found = asked("reservation", subject, partial(cloud.has_block, project, zone, path))
    if isinstance(found, Check):
        return found
    answer, detail = (Answer.OK, "exists") if found else (Answer.WRONG, "the reservation has no such block")
    return Check(topic="reservation", subject=subject, answer=answer, detail=detail)


def _matching(subject: str, found: ReservationFound, consumer: Consumer) -> Check:
    wrong = []
    if found.status not in {"READY", ""}:
        wrong.append(f"it is {found.status}")
    if not found.specific_only:
        wrong.append("any node may use it (specificReservationRequired is off), so it cannot be named")
    if found.machine_type is not None and consumer.machine_type and found.machine_type != consumer.machine_type:
        wrong.append(f"it holds {found.machine_type} and {consumer.what} is of {consumer.machine_type}")
    elif found.machine_type is not None:
        wrong += _inner(found, consumer)
    if wrong:
        detail = "; ".join(wrong)
        return Check(topic="reservation", subject=subject, answer=Answer.WRONG, detail=detail)
    if found.machine_type is None:
        detail = "it holds whole groups of machines: which, the list does not tell"
        return Check(topic="reservation", subject=subject, answer=Answer.UNKNOWN, detail=detail)
    detail = f"it matches {consumer.what}: {found.count} x {found.machine_type}, only for nodes that name it"
    return Check(topic="reservation", subject=subject, answer=Answer.OK, detail=detail)


def _beside(consumer: Consumer) -> tuple[str, int] | None:
    """Return the GPUs that a machine does not bring itself, and that a reservation of it has to name."""
    kind = machine(consumer.machine_type or "")
    if kind is None or kind.gpus or not consumer.accelerator or not consumer.gpus:
        return None
    return consumer.accelerator, consumer.gpus


def _inner(found: ReservationFound, consumer: Consumer) -> Iterator[str]:
    kind = machine(consumer.machine_type or "")
    brings = kind is not None and kind.gpus > 0
    wanted = {consumer.accelerator: consumer.gpus} if consumer.accelerator and consumer.gpus else {}
    if dict(found.accelerators) != wanted and not (brings and not found.accelerators):
        held = ", ".join(f"{count} x {name}" for name, count in found.accelerators.items()) or "no GPUs"
        asks = ", ".join(f"{count} x {name}" for name, count in wanted.items()) or "no GPUs"
        yield f"it holds {held} for each machine and {consumer.what} asks for {asks}"
    bundled = kind is None or kind.local_ssds is not None
    if found.local_ssds != consumer.local_ssds and not (bundled and 0 in {found.local_ssds, consumer.local_ssds}):
        held_ssds, asked_ssds = found.local_ssds, consumer.local_ssds
        yield f"it holds {held_ssds} local SSDs for each machine and {consumer.what} takes {asked_ssds}"


def _room(subject: str, wanted: Reservation, free: int) -> Check:
    most, least = wanted.most, wanted.least
    if most is None:
        detail = f"{free} machines are free; how many may be needed is not known"
        return Check(topic="reservation", subject=subject, answer=Answer.UNKNOWN, detail=detail)
    if most <= free:
        detail = f"{free} machines are free and at most {most} are needed"
        return Check(topic="reservation", subject=subject, answer=Answer.OK, detail=detail)
    when = "the first ones are missing" if least is not None and least > free else "growth ends there"
    zone = next(iter(wanted.zones), "ZONE")
    return Check(
        topic="reservation",
        subject=subject,
        answer=Answer.WRONG,
        detail=f"{free} machines are free and up to {most} are needed: {when}",
        repair=repairs.reservation(wanted.project, zone, wanted.name, most),
    )


def machines(cloud: Cloud, wanted: requirements.Machine) -> Iterator[Check]:
    """Compare the machine type of a pool, and the GPU beside it, with what its zone offers."""
    topic = "machine"
    offers: list[tuple[str, Callable[[str, str, str], bool]]] = [(wanted.machine_type, cloud.offers_machine)]
    if wanted.accelerator is not None:
        offers.append((wanted.accelerator, cloud.offers_accelerator))
    for what, question in offers:
        subject = f"{what} in {wanted.zone}"
        if wanted.project is None:
            yield without_project(topic, subject)
            continue
        project = wanted.project
        found = asked(topic, subject, partial(question, project, wanted.zone, what))
        if isinstance(found, Check):
            yield found
        elif found:
            yield Check(topic=topic, subject=subject, answer=Answer.OK, detail="offered there")
        else:
            repair = repairs.machine_zones(project, wanted.machine_type)
            detail = "the zone does not offer it to this project"
            yield Check(topic=topic, subject=subject, answer=Answer.WRONG, detail=detail, repair=repair)


def profiles(cloud: Cloud, wanted: requirements.Profile) -> Check:
    """Look for a network profile."""
    topic, subject = "network profile", wanted.name
    if wanted.project is None:
        return without_project(topic, subject)
    project = wanted.project
    found = asked(topic, subject, lambda: cloud.offers_profile(project, wanted.name))
    if isinstance(found, Check):
        return found
    if found:
        return Check(topic=topic, subject=subject, answer=Answer.OK, detail="exists")
    repair = repairs.profiles(project)
    return Check(topic=topic, subject=subject, answer=Answer.WRONG, detail="there is no such profile", repair=repair)


def apis(cloud: Cloud, project: str, wanted: list[requirements.Api]) -> Iterator[Check]:
    """Ask which Google APIs are on."""
    found = asked("api", f"APIs of {project}", lambda: cloud.enabled(project, [api.name for api in wanted]))
    if isinstance(found, Check):
        yield found
        return
    for api in wanted:
        on = found.get(api.name, False)
        if on:
            yield Check(topic="api", subject=api.name, answer=Answer.OK, detail="on")
        elif api.enabled_here:
            detail = "off, and the program turns it on"
            yield Check(topic="api", subject=api.name, answer=Answer.OK, detail=detail)
        else:
            detail = f"off, and the program does not turn it on; it is needed for {', '.join(api.wanted_by[:3])}"
            repair = repairs.enable(project, api.name)
            yield Check(topic="api", subject=api.name, answer=Answer.WRONG, detail=detail, repair=repair)


def permissions(cloud: Cloud, project: str, wanted: list[requirements.Permission]) -> Iterator[Check]:
    """Ask which permissions the caller has on a project: one check for each role that would give them."""
    names = [permission.name for permission in wanted]
    found = asked("permission", f"permissions on {project}", lambda: cloud.granted(project, names))
    if isinstance(found, Check):
        yield found
        return
    for role in dict.fromkeys(permission.role for permission in wanted):
        mine = [permission.name for permission in wanted if permission.role == role]
        missing = [name for name in mine if name not in found]
        if not missing:
            detail = f"has all {len(mine)} permissions" if len(mine) > 1 else f"has {mine[0]}"
            yield Check(topic="permission", subject=role, answer=Answer.OK, detail=detail)
        else:
            more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
            detail = f"lacks {', '.join(missing[:4])}{more}"
            if all(permission.elsewhere for permission in wanted if permission.name in missing):
                detail += " on the project; the service account of the nodes may grant it by itself"
                yield Check(topic="permission", subject=role, answer=Answer.UNKNOWN, detail=detail)
                continue
            repair = repairs.grant(project, role)
            yield Check(topic="permission", subject=role, answer=Answer.WRONG, detail=detail, repair=repair)


def versions(cloud: Cloud, wanted: Version) -> Check:
    """Compare the GKE version of a cluster with what its channel offers."""
    topic, subject = "version", f"cluster {wanted.cluster}"
    if wanted.project is None:
        return without_project(topic, subject)
    project = wanted.project
    offered = asked(topic, subject, lambda: cloud.versions(project, wanted.location))
    if isinstance(offered, Check):
        return offered
    repair = repairs.versions(project, wanted.location)
    name = wanted.channel or "UNSPECIFIED"
    channel = offered.channels.get(name)
    if name != "UNSPECIFIED" and channel is None:
        detail = f"{wanted.location} has no channel {name}"
        return Check(topic=topic, subject=subject, answer=Answer.WRONG, detail=detail, repair=repair)
    valid = offered.valid if channel is None else channel.valid
    if wanted.version in {None, "", "latest", "-"}:
        default = channel.default if channel else "the default"
        return Check(topic=topic, subject=subject, answer=Answer.OK, detail=f"{name} decides: {default} today")
    version = str(wanted.version)
    if any(found == version or found.startswith((f"{version}.", f"{version}-")) for found in valid):
        return Check(topic=topic, subject=subject, answer=Answer.OK, detail=f"{name} offers {version}")
    offers = ", ".join(list(valid)[:4]) or "nothing"
    detail = f"{name} in {wanted.location} does not offer {version}; it offers {offers}"
    return Check(topic=topic, subject=subject, answer=Answer.WRONG, detail=detail, repair=repair)
