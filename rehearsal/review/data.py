"""The report for machines: JSON with stable keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.review.document import Section, Text
from rehearsal.review.report import Report, StackReport

__all__ = ["VERSION", "dumps"]

VERSION = 1
"""Of the form; it grows when a key changes its meaning or goes."""


def dumps(report: Report) -> str:
    """Return the report as JSON.

    Keys: ``version``, ``verdict`` (``safe``, ``risky``, ``broken``), ``reason``, ``against``, ``untouched``, ``notes``
    and ``stacks``; a stack has ``name``, ``verdict``, ``reason``, ``problem``, ``notes`` and ``sections`` by key, and
    each of those ``headline``, ``standing``, ``reason`` and what the section tells as ``data``.
    """
    return json.dumps(_report(report), indent=2, ensure_ascii=False, default=_plain)


def _report(report: Report) -> dict[str, Any]:
    return {
        "version": VERSION,
        "verdict": report.verdict,
        "reason": report.reason,
        "against": report.against,
        "stacks": [_stack(stack) for stack in report.stacks],
        "untouched": list(report.untouched),
        "notes": list(report.notes),
    }


def _stack(stack: StackReport) -> dict[str, Any]:
    return {
        "name": stack.name,
        "verdict": stack.verdict,
        "reason": stack.reason,
        "problem": stack.problem,
        "notes": list(stack.notes),
        "sections": {section.key: _section(section) for section in stack.sections},
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "headline": _plain_text(section.headline),
        "standing": section.standing.name.lower(),
        "reason": section.reason,
        "data": section.data,
    }


def _plain_text(text: Text) -> str:
    """Return a text without the marks on its pieces."""
    return text if isinstance(text, str) else "".join(text)


def _plain(value: object) -> object:
    """Return what JSON has no form for as something that it has."""
    match value:
        case Mapping():
            return {str(key): inner for key, inner in value.items()}
        case set() | frozenset():
            return sorted(map(str, value))
        case Sequence():
            return list(value)
        case _:
            return str(value)
