"""The picture of a change: marked, blinded, bounded, and silent where there is nothing to draw."""

from __future__ import annotations

import json
from dataclasses import replace

from rehearsal.diffs import compare
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Picture
from rehearsal.review.sections.picture import section
from rehearsal.urns import make
from rehearsal.values import Secret
from rehearsal.verdict import Verdict
from tests.support.rehearsed import rehearsed, standing

NETWORK = "gcp:compute/network:Network"
NODE_POOL = "gcp:container/nodePool:NodePool"


def state(token: str, name: str, /, **inputs: object) -> ResourceState:
    return ResourceState(urn=make("prod", "house", "", token, name), custom=True, inputs=inputs, outputs=inputs)


def plan(*states: ResourceState) -> Plan:
    return Plan(tuple(Step("create", each) for each in states))


def change(before: Plan | None, after: Plan | None) -> StackChange:
    sides = [Side(each) if each is not None else None for each in (before, after)]
    return StackChange("prod", sides[0], sides[1], compare(before or Plan(()), after or Plan(())), Verdict())


def drawn(of: StackChange) -> Picture:
    answer = section(of)
    assert answer is not None
    (block,) = answer.blocks
    assert isinstance(block, Picture)
    return block


def test_an_unchanged_stack_is_drawn_without_marks() -> None:
    present = rehearsed(standing("prod"))
    answer = section(change(present, present))
    assert answer is not None
    assert answer.headline == "No network, pool, model or route changes."
    assert "classDef create" not in drawn(change(present, present)).mermaid


def test_a_new_stack_is_to_create_as_a_whole() -> None:
    answer = section(change(None, rehearsed(standing("dev"))))
    assert answer is not None
    assert answer.headline == "Everything is to create."


def test_a_pool_that_goes_is_in_picture_and_data() -> None:
    kept, gone = state(NETWORK, "net", name="net"), state(NODE_POOL, "gone", name="gone", cluster="c", nodeCount=2)
    of = change(plan(kept, gone), plan(kept))
    answer = section(of)
    assert answer is not None
    assert "− gone" in drawn(of).mermaid.replace("#8722;", "−")
    assert {node["title"]: node["operation"] for node in json.loads(json.dumps(answer.data))["nodes"]} == {
        "gone": "delete",
        "net": "same",
        "the cluster": "delete",
    }
    assert "Marks: − delete." in drawn(of).caption


def test_a_stack_without_anything_to_draw_has_no_picture() -> None:
    assert section(change(None, plan(state("gcp:storage/bucket:Bucket", "b")))) is None


def test_a_secret_in_a_name_is_not_drawn() -> None:
    secret = "correct-horse-battery"  # noqa: S105 - the one that must not appear
    of = change(None, plan(state(NETWORK, "net", name=Secret(secret), description=secret)))
    text = drawn(of)
    answer = section(of)
    assert answer is not None
    assert secret not in text.svg + text.mermaid + text.caption + json.dumps(answer.data)


def test_ten_thousand_resources_are_drawn_and_bounded() -> None:
    pools = [state(NODE_POOL, f"pool-{n}", name=f"pool-{n}", cluster="c", nodeCount=1) for n in range(10_000)]
    before = plan(*pools)
    after = plan(*(replace(each, inputs={**each.inputs, "nodeCount": 2}) for each in pools[:-1]))
    picture = drawn(change(before, after))
    assert len(picture.mermaid) <= 50_000
    assert len(picture.svg) <= 100_000
    assert "more node pools" in picture.mermaid
