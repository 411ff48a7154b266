"""The command ``judge``: the pack's verdict on files that no program of ours made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from inference.rules.registry import RULES
from policies import configuration
from policies.servicer import in_process_servicer
from rehearsal import verdict
from rehearsal.sarif import sarif
from rehearsal.sources import Place, Sources, read
from rehearsal.texts import plain, plural

__all__ = ["FORMATS", "judge"]

FORMATS = ("text", "json", "sarif")

_ORDER = {"critical": 0, "high": 1, "medium": 2, "low": 3, "": 4}


def judge(paths: Sequence[Path], *, output: str, policy_config: Path | None) -> tuple[str, bool]:
    """Return the verdict as text, and whether a mandatory policy is violated.

    Args:
        paths: manifests, previews, exported states, or folders of them.
        output: one of ``FORMATS``.
        policy_config: file with levels and parameters of the policies.

    Raises:
        ProblemsError: where a file cannot be read or the configuration is wrong.
    """
    sources = read(paths)
    rules = tuple(rule for rule in RULES if not (sources.manifests and rule.needs_program))
    given = configuration.load(policy_config, RULES) if policy_config else {}
    analyzer = in_process_servicer({k: v for k, v in given.items() if k in {r.name for r in rules} | {"all"}}, rules)
    judged = verdict.judge(sources.plan, analyzer)
    findings = sorted(judged.findings, key=lambda f: (_ORDER[f.severity], f.policy, f.urn))
    match output:
        case "sarif":
            text = sarif(findings, sources.places)
        case "json":
            text = json.dumps([_record(finding, sources) for finding in findings], indent=2)
        case _:
            text = _text(findings, sources, len(rules))
    return text, judged.violated


def _record(finding: verdict.Finding, sources: Sources) -> dict[str, object]:
    place = sources.places.get(finding.urn, Place("", 0))
    return {
        "policy": finding.policy,
        "level": finding.level,
        "severity": finding.severity,
        "file": place.file,
        "line": place.line,
        "urn": finding.urn,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _text(findings: Sequence[verdict.Finding], sources: Sources, rules: int) -> str:
    judged = f"{plural(len(sources.plan.steps), 'resource')} judged by {plural(rules, 'policy')}"
    if not findings:
        return f"{judged}: no violation"
    lines = []
    for finding in findings:
        place = sources.places.get(finding.urn)
        where = f"{place.file}:{place.line}: " if place else ""
        lines.append(plain(f"{where}{finding.level} {finding.policy} ({finding.severity})"))
        lines.append(plain(f"    {finding.message}"))
    mandatory = sum(finding.level == "mandatory" for finding in findings)
    lines.append(f"{judged}: {plural(len(findings), 'finding')}, {mandatory} of them mandatory")
    return "\n".join(lines)
