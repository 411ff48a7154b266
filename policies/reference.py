"""The reference page of the policies, written from the rules themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from inference.rules.framework import Rule
from policies.parameters import Parameter, parameters_of

__all__ = ["reference"]

_INTRODUCTION = """\
# Policies

Generated from the rules by `policies/reference.py`; a test says when it is stale, `pytest --update-goldens` renews it.

`pulumi preview --policy-pack policies --policy-pack-config policies/config.dev.json` judges a stack, of this project
or any other. Every rule is one policy. Its level (`mandatory` stops a deployment, `advisory` only speaks, `disabled`)
and its parameters are set in the ordinary policy configuration, whose JSON schema is `policies/config.schema.json`:

```json
{
  "all": "advisory",
  "<policy>": "mandatory",
  "<policy with parameters>": {"enforcementLevel": "mandatory", "<parameter>": 8}
}
```

A policy about a resource stops a deployment before the resource is made. A policy about the stack sees the relations
between resources; it stops a preview, and an update only at its end. A value that is not known in a preview silences
the comparisons that need it and no others. A rule that itself fails is reported as an advisory note.
"""


def reference(rules: Iterable[Rule]) -> str:
    """Return the page in Markdown, grouped by concern."""
    ordered = sorted(rules, key=lambda rule: (rule.area, rule.name))
    areas = [(area, tuple(members)) for area, members in groupby(ordered, key=lambda rule: rule.area)]
    lines = [_INTRODUCTION, f"{len(ordered)} policies in {len(areas)} concerns.", ""]
    for area, members in areas:
        lines += _concern(area, members)
    return "\n".join(lines)


def _concern(area: str, members: tuple[Rule, ...]) -> Iterator[str]:
    yield f"## {area.replace('_', ' ')}"
    yield ""
    if text := (sys.modules[members[0].check.__module__].__doc__ or "").strip():
        yield text
        yield ""
    yield "| Policy | Requirement | Severity | Level |"
    yield "| --- | --- | --- | --- |"
    for rule in members:
        yield f"| [{rule.name}](#{rule.name}) | {_cell(rule.title)} | {rule.severity} | {rule.level} |"
    yield ""
    for rule in members:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.name}"
    yield ""
    yield f"**{rule.title.rstrip('.')}.**"
    yield ""
    yield f"- What breaks: {rule.breaks}"
    yield f"- What to do: {rule.fix}"
    yield f"- Judges {'the stack' if rule.about_stack else 'each resource'}; severity {rule.severity}, {rule.level}."
    if rule.covers:
        yield f"- Covers: {', '.join(rule.covers)}"
    yield f"- Source: <{rule.source}>"
    yield ""
    if parameters := parameters_of(rule):
        yield "| Parameter | Value | Default | Meaning |"
        yield "| --- | --- | --- | --- |"
        yield from map(_parameter, parameters)
        yield ""


def _parameter(parameter: Parameter) -> str:
    default = _cell(json.dumps(parameter.default, ensure_ascii=False))
    return f"| `{parameter.name}` | {parameter.expected} | `{default}` | {_cell(parameter.description)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
