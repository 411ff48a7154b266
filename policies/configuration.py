"""The policy configuration: Pulumi's ordinary JSON, ``{"<policy>": "<level>" | {"enforcementLevel": …, …}}``.

The engine accepts a misspelled policy or parameter without a word, and the policy then runs as if nothing had been
set. Here everything that is wrong is refused at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import analyzer_pb2

from inference.problems import Problem, ProblemsError
from inference.rules.framework import Rule
from policies.parameters import Parameter, parameters_of, typed

__all__ = ["check", "check_parameters", "load", "request", "schema"]

_LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "remediate": analyzer_pb2.REMEDIATE,
    "disabled": analyzer_pb2.DISABLED,
}
_LEVEL_KEY = "enforcementLevel"
_ALL = "all"
_ENVIRONMENTS = "environments"
"""Reserved by the engine for Pulumi ESC: a list of environments."""
_OFFERED_LEVELS = "advisory, mandatory, remediate (as mandatory: these rules mend nothing) or disabled"
_WRITE_A_LEVEL = f"Write one of {_OFFERED_LEVELS}."


def load(path: Path, rules: Iterable[Rule]) -> dict[str, Any]:
    """Return the configuration of a file; an empty file configures nothing.

    Raises:
        ProblemsError: everything that is wrong with it.

    """
    problems: list[Problem] = []
    found = _read(path, problems)
    if isinstance(found, dict) and not problems:
        problems.extend(check(found, rules))
    if problems:
        raise ProblemsError(str(path), problems)
    return dict(found)


def check(configuration: Mapping[str, Any], rules: Iterable[Rule]) -> tuple[Problem, ...]:
    """Return everything that is wrong with a configuration."""
    known = {rule.name: rule for rule in rules}
    return tuple(problem for key, value in configuration.items() for problem in _check_entry(key, value, known))


def check_parameters(rule: Rule, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the parameters given to a rule."""
    known = {parameter.name: parameter for parameter in parameters_of(rule)}
    for name, value in values.items():
        where = f"{rule.name}.{name}"
        if name not in known:
            yield Problem(
                where,
                f"the policy has no parameter {name} (set to {_shown(value)})",
                "The engine would ignore it, and the policy would run with its default.",
                _nearest(name, known, "parameter") if known else "Remove it: this policy takes no parameters.",
            )
        elif not known[name].accepts(value):
            yield Problem(
                where,
                f"{_shown(value)} is not {known[name].expected}",
                "The rule compares it with what a resource says and could not decide.",
                f"Write {known[name].expected}, for example {_shown(known[name].default)}.",
            )
    given = {name: value for name, value in values.items() if name in known and known[name].accepts(value)}
    try:
        rule.configured(typed(rule, given))
    except ValueError as error:
        yield Problem(
            rule.name,
            str(error),
            "The rule could not judge by it.",
            "Correct it; docs/policies.md says what it takes.",
        )


def request(configuration: Mapping[str, Any], rules: Iterable[Rule]) -> analyzer_pb2.ConfigureAnalyzerRequest:
    """Return what the engine tells a policy pack of a valid configuration: every policy, defaults filled in."""
    message = analyzer_pb2.ConfigureAnalyzerRequest()
    level_of_all = _parts(configuration.get(_ALL, {}))[0]
    for rule in rules:
        level, values = _parts(configuration.get(rule.name, {}))
        entry = message.policyConfig[rule.name]
        entry.enforcementLevel = _LEVELS[level or level_of_all or rule.level.value]
        entry.properties.update({p.name: values.get(p.name, p.default) for p in parameters_of(rule)})
    return message


def schema(rules: Iterable[Rule]) -> dict[str, Any]:
    """Return the JSON schema of the configuration."""
    level = {"$ref": "#/$defs/level"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of the policy pack gke-inference",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            _ALL: {**level, "description": "Level of every policy that is not named."},
            _ENVIRONMENTS: {"type": "array", "items": {"type": "string"}, "description": "Pulumi ESC environments."},
            **{rule.name: _schema_of(rule, level) for rule in sorted(rules, key=lambda rule: rule.name)},
        },
        "$defs": {"level": {"type": "string", "enum": list(_LEVELS)}},
    }


def _schema_of(rule: Rule, level: Mapping[str, Any]) -> dict[str, Any]:
    settings = {
        "type": "object",
        "additionalProperties": False,
        "properties": {_LEVEL_KEY: level, **{p.name: p.schema for p in parameters_of(rule)}},
    }
    return {"description": rule.title, "default": rule.level.value, "anyOf": [level, settings]}


def _read(path: Path, problems: list[Problem]) -> Any:
    why = "Without it no policy has the level that somebody meant to give it."
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), f"cannot be read: {error}", why, "Name a JSON file that exists."))
        return {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        problems.extend(
            Problem(name, "is written twice", "JSON keeps the last of them and says nothing.", "Remove one of them.")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        )
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once) if text.strip() else {}
    except (json.JSONDecodeError, RecursionError) as error:
        problems.append(Problem(str(path), f"is not JSON: {error}", why, "Mend it at the place that is named."))
        return {}
    if not isinstance(found, dict):
        problems.append(Problem(str(path), f"holds {_shown(found)}", why, 'Write a map: {"all": "advisory"}.'))
    return found


def _check_entry(key: str, value: Any, known: Mapping[str, Rule]) -> Iterator[Problem]:
    if key == _ENVIRONMENTS:
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            why = "The engine takes it for a list of Pulumi ESC environments."
            yield Problem(key, f"{_shown(value)} is not a list of strings", why, "Write a list, or remove the key.")
        return
    if key != _ALL and key not in known:
        why = "The engine would ignore the entry, and the policy that was meant would keep its level."
        yield Problem(key, f"there is no such policy (set to {_shown(value)})", why, _nearest(key, known, "policy"))
        return
    if not isinstance(value, str | Mapping):
        why = "The engine refuses everything but a level or a map of settings."
        yield Problem(key, f"{_shown(value)} is neither a level nor a map", why, _WRITE_A_LEVEL)
        return
    level, values = _parts(value)
    if level is not None and (not isinstance(level, str) or level not in _LEVELS):
        where = key if isinstance(value, str) else f"{key}.{_LEVEL_KEY}"
        yield Problem(where, f"{_shown(level)} is not a level", "The engine refuses it.", _WRITE_A_LEVEL)
    if key != _ALL:
        yield from check_parameters(known[key], values)
    elif values:
        why = 'Parameters belong to one policy; under "all" nobody reads them.'
        yield Problem(key, f"has parameters: {', '.join(values)}", why, "Set them under the policy they belong to.")


def _parts(value: Any) -> tuple[Any, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    return value.get(_LEVEL_KEY), {name: given for name, given in value.items() if name != _LEVEL_KEY}


def _nearest(name: str, known: Mapping[str, Rule] | Mapping[str, Parameter], noun: str) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"Write the {noun} that was meant: {', '.join(near)}."
    if len(known) <= 10:
        return f"Write one of: {', '.join(known)}."
    return f"Write the name of a {noun} as docs/policies.md has it."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"
