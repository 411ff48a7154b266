"""A preflight for people and for machines."""

from __future__ import annotations

import json

from rehearsal.preflight.checks import Answer, Check
from rehearsal.preflight.running import Preflight
from rehearsal.texts import plain, plural

__all__ = ["FORMATS", "write"]

FORMATS = ("text", "json")

_ORDER = (Answer.WRONG, Answer.UNKNOWN, Answer.OK)
_TOPICS = ("api", "permission", "version", "network profile", "machine", "reservation", "quota")


def write(found: Preflight, output: str) -> str:
    """Return a preflight in one of ``FORMATS``."""
    return _json(found) if output == "json" else _text(found)


def _text(found: Preflight) -> str:
    lines = [f"Preflight of {found.stack} against {', '.join(found.projects) or 'no project'}"]
    for topic in _TOPICS:
        checks = [check for check in found.checks if check.topic == topic]
        for check in sorted(checks, key=lambda check: _ORDER.index(check.answer)):
            lines += _lines(check)
    lines += [f"  note     {note}" for note in found.notes]
    wrong, mute = found.count(Answer.WRONG), found.count(Answer.UNKNOWN)
    total = plural(len(found.checks), "check")
    counts = f"{total}: {found.count(Answer.OK)} ok, {wrong} wrong, {mute} could not be asked"
    lines += ["", f"{found.verdict.capitalize()} – {counts}"]
    return plain("\n".join(lines))


def _lines(check: Check) -> list[str]:
    mark = {Answer.OK: "ok", Answer.WRONG: "WRONG", Answer.UNKNOWN: "?"}[check.answer]
    said = f"could not be asked: {check.detail}" if check.answer is Answer.UNKNOWN else check.detail
    lines = [f"  {mark:<7}  {check.topic}: {check.subject}: {said}"]
    return [*lines, f"           do: {check.repair}"] if check.repair else lines


def _json(found: Preflight) -> str:
    words = {Answer.OK: "ok", Answer.WRONG: "wrong", Answer.UNKNOWN: "unknown"}
    record = {
        "stack": found.stack,
        "projects": list(found.projects),
        "verdict": found.verdict,
        "counts": {word: found.count(answer) for answer, word in words.items()},
        "checks": [
            {
                "topic": check.topic,
                "subject": check.subject,
                "answer": words[check.answer],
                "detail": check.detail,
                "repair": check.repair,
            }
            for check in found.checks
        ],
        "notes": list(found.notes),
    }
    return json.dumps(record, indent=2, ensure_ascii=False)
