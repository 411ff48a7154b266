"""Findings as SARIF 2.1.0, which code scanning shows in a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from inference.rules.registry import RULES
from rehearsal.sources import Place
from rehearsal.verdict import Finding

__all__ = ["sarif"]

_LEVELS = {"mandatory": "error", "advisory": "warning"}
_SCORES = {"critical": "9.5", "high": "7.5", "medium": "5.0", "low": "2.0"}
"""GitHub sorts by these: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/
sarif-support-for-code-scanning#reportingdescriptor-object."""


def sarif(findings: Iterable[Finding], places: Mapping[str, Place]) -> str:
    """Return the findings as a SARIF log."""
    found = list(findings)
    named = {finding.policy for finding in found}
    rules = [rule for rule in RULES if rule.name in named]
    index = {rule.name: position for position, rule in enumerate(rules)}
    return json.dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "gke-inference",
                            "rules": [
                                {
                                    "id": rule.name,
                                    "shortDescription": {"text": rule.title},
                                    "fullDescription": {"text": rule.breaks},
                                    "help": {"text": rule.fix},
                                    "helpUri": rule.source,
                                    "properties": {"security-severity": _SCORES[rule.severity], "tags": [rule.area]},
                                }
                                for rule in rules
                            ],
                        }
                    },
                    "results": [_result(finding, index, places) for finding in found],
                }
            ],
        },
        indent=2,
    )


def _uri(file: str) -> str:
    """Return where a file is, from the working directory where it lies in there: code scanning knows no other paths."""
    path = Path(file)
    if path.is_absolute() and not path.is_relative_to(Path.cwd()):
        return path.as_uri()
    inside = path.relative_to(Path.cwd()) if path.is_absolute() else path
    return quote(inside.as_posix())


def _result(finding: Finding, index: Mapping[str, int], places: Mapping[str, Place]) -> dict[str, Any]:
    place = places.get(finding.urn) or next(iter(places.values()), Place("unknown", 1))
    result: dict[str, Any] = {
        "ruleId": finding.policy,
        "level": _LEVELS.get(finding.level, "note"),
        "message": {"text": finding.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(place.file)},
                    "region": {"startLine": place.line},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.urn, "kind": "resource"}],
            }
        ],
    }
    if finding.policy in index:
        result["ruleIndex"] = index[finding.policy]
    return result
