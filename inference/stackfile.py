"""From configuration to checked settings: every problem at once, before anything is registered."""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from inference.checks import check
from inference.config_json import files
from inference.malformed import problem_of, settings_at
from inference.problems import Problem, ProblemsError
from inference.settings import SECTIONS, StackSettings

__all__ = ["load", "read"]

_DECISIVE = {"cluster.location", "cluster.systemPool"}
"""Settings without which nothing can be said of the others: zones follow from one, room for pods from the other."""

_STAND_INS = {"project": "my-project", "environment": "development"}
"""What is put in the place of malformed settings that have no default, so that the rest can be checked."""


def load(
    raw: Mapping[str, object], source: str, encrypted: Collection[str] = (), *, folder: Path | None = None
) -> StackSettings:
    """Return the settings of a stack.

    Args:
        raw: the configuration sections by key, without the namespace.
        source: what to call the place where they were read, for messages.
        encrypted: keys that hold encrypted values.
        folder: where paths in it start; left out, the working directory, which for a program is the project's folder.

    Raises:
        ProblemsError: with every problem of form and of substance that can be told at once.
    """
    if encrypted:
        raise ProblemsError(source, [_encrypted(key) for key in sorted(encrypted)])
    try:
        settings = StackSettings.model_validate(dict(raw))
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [problem_of(raw, detail) for detail in details]
        problems += _problems_of_the_rest(raw, details)
        raise ProblemsError(source, problems) from None
    problems = list(files.read(settings, folder or Path()))
    if problems := [*problems, *check(settings)]:
        raise ProblemsError(source, problems)
    return settings


def read(text: str) -> object:
    """Return the value of a configuration key as the engine hands it over: JSON, a word as it stands, null as nothing.

    What is no object is kept, so that ``load`` can say so with all that is wrong besides.
    """
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _encrypted(key: str) -> Problem:
    why = "settings become names, labels and arguments, which the state and the cluster keep in plain text"
    remedy = "Write it in plain text; put a credential into Secret Manager and its ID here, as apiKey does."
    return Problem(key, "holds an encrypted value", why, remedy)


def _problems_of_the_rest(raw: Mapping[str, object], details: Sequence[ErrorDetails]) -> Iterator[Problem]:
    """Check what is well-formed, without what names a pool or model that is not."""
    rest: dict[str, Any] = copy.deepcopy(dict(raw))
    broken: set[str] = set()
    for detail in details:
        section, *inside = detail["loc"]
        if section == "cluster":
            if not inside or not isinstance(rest.get("cluster"), dict):
                return
            key = str(inside[0])
            rest["cluster"].pop(key, None)
            nearest = difflib.get_close_matches(key, settings_at("cluster"), 1)
            broken.add(f"cluster.{nearest[0] if nearest else key}")
        elif section not in SECTIONS:
            rest.pop(str(section), None)
        elif section in {"pools", "models"} and inside and isinstance(rest.get(section), dict):
            rest[str(section)].pop(inside[0], None)
            broken.add(f"{section}.{inside[0]}")
        else:
            rest.pop(str(section), None)
            broken.add(str(section))
    if broken & _DECISIVE:
        return
    if isinstance(rest.get("cluster"), dict):
        rest["cluster"] = _STAND_INS | rest["cluster"]
    try:
        settings = StackSettings.model_validate(rest)
    except ValidationError:
        return
    for problem in check(settings, missing=frozenset(broken)):
        if ".".join(problem.where.split(".")[:2]) not in broken:
            yield problem
