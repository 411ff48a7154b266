"""Reports for tests of the page: one of a real change, one of everything that a program could do to a reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

from rehearsal.diffs import compare
from rehearsal.plan import Plan, ResourceState
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Code, Fold, Items, Paragraph, Picture, Section, Standing, Table
from rehearsal.review.report import Report, Revised, StackReport, gather
from rehearsal.verdict import Verdict
from tests.support.rehearsed import rehearsed, standing

EVIL = (
    '</style></title><script>document.title="taken"</script><img src="https://evil.example/a.png" onerror=alert(1)>"\'&'
)


def amended(plan: Plan, name: str, change: Callable[[Mapping[str, object]], Mapping[str, object]]) -> Plan:
    """Return a plan with the properties of the one resource of a name changed."""
    (urn,) = [state.urn for state in plan if state.name == name]

    def state(old: ResourceState) -> ResourceState:
        if old.urn != urn:
            return old
        return replace(old, inputs=change(old.inputs), outputs=change(old.outputs), wire=None)

    return replace(plan, steps=tuple(replace(step, state=state(step.state)) for step in plan.steps))


def _doubled(inputs: Mapping[str, object]) -> Mapping[str, object]:
    spec = inputs["spec"]
    assert isinstance(spec, Mapping)
    return {**inputs, "spec": {**spec, "replicas": 2}}


@cache
def of_a_change() -> Report:
    """Return the report on a second replica of the model of prod."""
    before = rehearsed(standing("prod"))
    after = amended(before, "kimi-group", _doubled)
    change = StackChange("prod", Side(before), Side(after), compare(before, after), Verdict(packs=("ours",)))
    return Report(against="origin/main (0f3c1d2)", stacks=(gather(Revised(change=change)),), untouched=("dev",))


def of_everything() -> Report:
    """Return a report with every kind of block, every text of which would be markup."""
    blocks = (
        Paragraph((EVIL, Code(EVIL))),
        Items((EVIL, (Code(EVIL),))),
        Table((EVIL, "Count"), ((EVIL, "1"), ((Code(EVIL),), "2")), frozenset({1})),
        Picture(mermaid="", svg='<svg xmlns="http://www.w3.org/2000/svg"><title>ours</title></svg>', caption=EVIL),
        Fold((EVIL, Code(EVIL)), (Table(("n",), tuple((str(n),) for n in range(500))),)),
    )
    section = Section(
        key="evil", title=EVIL, headline=(EVIL, Code(EVIL)), blocks=blocks, standing=Standing.RISKY, reason=EVIL
    )
    risky = StackReport(name=EVIL, standing=Standing.RISKY, reason=EVIL, sections=(section,), notes=(EVIL,))
    broken = StackReport(name="b", standing=Standing.BROKEN, reason=EVIL, sections=(), problem=f"{EVIL}\n{EVIL}")
    return Report(against=EVIL, stacks=(risky, broken), untouched=(EVIL,), notes=(EVIL,))
