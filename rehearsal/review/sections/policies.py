"""Whether the revision after keeps the policies."""

from __future__ import annotations

from rehearsal.review.change import StackChange
from rehearsal.review.document import Block, Code, Fold, Section, Standing, Table, Text
from rehearsal.texts import plural
from rehearsal.urns import STACK, parse
from rehearsal.verdict import Finding

__all__ = ["section"]

_ORDER = ("critical", "high", "medium", "low", "")
_SHOWN = 200
"""Findings; the JSON form has all of them."""


def section(change: StackChange) -> Section | None:
    """Return what the policies find, the worst first."""
    if change.after is None or not change.verdict.packs:
        return None
    findings = sorted(change.verdict.findings, key=_rank)
    mandatory = [finding for finding in findings if finding.level == "mandatory"]
    advisory = [finding for finding in findings if finding.level != "mandatory"]
    judged = plural(change.verdict.policies, "policy") if change.verdict.policies else ", ".join(change.verdict.packs)
    blocks: list[Block] = []
    if mandatory:
        blocks.append(_table(mandatory))
    if advisory:
        blocks.append(Fold(f"{len(advisory)} advisory", (_table(advisory),)))
    headline = f"{len(mandatory)} mandatory and {len(advisory)} advisory" if findings else "No violation"
    return Section(
        key="policies",
        title="Policies",
        headline=f"{headline} ({judged}).",
        blocks=tuple(blocks),
        data={"policies": change.verdict.policies, "findings": [_record(finding) for finding in findings]},
        standing=Standing.BROKEN if mandatory else Standing.SAFE,
        reason=_reason(mandatory),
    )


def _reason(mandatory: list[Finding]) -> str:
    if not mandatory:
        return ""
    where = "".join(_resource(mandatory[0].urn))
    return f"{where} violates the mandatory policy {mandatory[0].policy}{_more(len(mandatory))}"


def _rank(finding: Finding) -> tuple[bool, int, str, str]:
    severity = _ORDER.index(finding.severity) if finding.severity in _ORDER else len(_ORDER)
    return finding.level != "mandatory", severity, finding.policy, finding.urn


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _table(findings: list[Finding]) -> Table:
    rows: list[tuple[Text, ...]] = [
        ((Code(finding.policy),), finding.severity or "–", _resource(finding.urn), _said(finding))
        for finding in findings
    ]
    return Table.cut(("Policy", "Severity", "Resource", "Finding"), rows, most=_SHOWN)


def _said(finding: Finding) -> str:
    if finding.remedy and finding.remedy not in finding.message:
        return f"{finding.message} Do: {finding.remedy}"
    return finding.message


def _resource(urn: str) -> Text:
    try:
        parts = parse(urn)
    except ValueError:
        return "the stack"
    return "the stack" if parts.type == STACK else (Code(parts.name),)


def _record(finding: Finding) -> dict[str, str]:
    return {
        "policy": finding.policy,
        "level": finding.level,
        "severity": finding.severity,
        "urn": finding.urn,
        "message": finding.message,
        "remedy": finding.remedy,
    }
