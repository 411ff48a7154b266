"""The section on costs says what a change does to the bill, every amount with its price and count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.diffs import compare
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Fold, Items, Paragraph, Section, Standing, Table
from rehearsal.review.sections.cost import section
from rehearsal.values import Secret
from rehearsal.verdict import Verdict

POOL = "gcp:container/nodePool:NodePool"
CLUSTER = "gcp:container/cluster:Cluster"
CLUSTER_INPUTS = {"name": "main", "location": "us-central1-b", "removeDefaultNodePool": True, "initialNodeCount": 1}


def step(kind: str, name: str, inputs: dict[str, Any]) -> Step:
    return Step("create", ResourceState(urn=f"urn:pulumi:dev::project::{kind}::{name}", custom=True, inputs=inputs))


def pool(name: str = "l4", most: int = 2, fewest: int = 0, **config: Any) -> Step:
    inputs = {
        "name": name,
        "cluster": "main",
        "location": "us-central1-b",
        "nodeLocations": ["us-central1-b"],
        "autoscaling": {"totalMinNodeCount": fewest, "totalMaxNodeCount": most},
        "nodeConfig": {
            "machineType": "g2-standard-4",
            "diskType": "pd-balanced",
            "diskSizeGb": 100,
            "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
            "labels": {"pool": name},
            **config,
        },
    }
    return step(POOL, name, inputs)


def server(replicas: int = 1, name: str = "qwen") -> Step:
    amount = {"nvidia.com/gpu": "1"}
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "args": ["--model=Qwen/Qwen3-8B"],
        "resources": {"requests": amount, "limits": amount},
    }
    spec = {"containers": [container], "nodeSelector": {"pool": "l4"}}
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "inference"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }
    return step("kubernetes:apps/v1:Deployment", name, inputs)


def plan(*steps: Step, costs: Any = None) -> Plan:
    config = {} if costs is None else {"gke-inference:costs": json.dumps(costs), "gcp:project": "p"}
    return Plan((step(CLUSTER, "main", CLUSTER_INPUTS), *steps), config=config)


def change(before: Plan | None, after: Plan | None) -> Section | None:
    sides = [None if side is None else Side(side) for side in (before, after)]
    diff = compare(before or Plan(()), after or Plan(()))
    return section(StackChange("dev", sides[0], sides[1], diff, Verdict(())))


def made(before: Plan | None, after: Plan | None) -> Section:
    found = change(before, after)
    assert found is not None
    json.dumps(found.data)
    for table in tables(found.blocks):
        assert all(len(row) == len(table.header) for row in table.rows)
    return found


def tables(blocks: Any) -> Iterator[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Fold):
            yield from tables(block.blocks)


def flat(cell: Any) -> str:
    return cell if isinstance(cell, str) else "".join(cell)


def rows(found: Section, first: str) -> dict[str, list[str]]:
    """Return the rows of the table whose first column has this header."""
    (table,) = [table for table in tables(found.blocks) if table.header[0] == first]
    return {flat(row[0]): [flat(cell) for cell in row[1:]] for row in table.rows}


def text(blocks: Any) -> str:
    said = []
    for block in blocks:
        match block:
            case Paragraph(told):
                said.append(flat(told))
            case Items(entries):
                said += [flat(entry) for entry in entries]
            case Fold(_, inner):
                said.append(text(inner))
            case Table(_, lines, _):
                said += [flat(cell) for line in lines for cell in line]
            case _:
                raise AssertionError(block)
    return "\n".join(said)


def test_more_nodes_at_most_raise_the_maximum_and_nothing_else() -> None:
    found = made(plan(pool(most=2)), plan(pool(most=3)))
    assert found.headline == "$73 a month idle, $1,125 → $1,651 at maximum."
    whole = rows(found, "What")
    assert set(whole) == {"the stack", "pool l4"}, "the cluster costs what it did"
    assert whole["the stack"] == ["$0.10", "$73", "$1.54 → $2.26", "$1,125 → $1,651"]
    assert whole["pool l4"][1] == "$0"


def test_dearer_is_not_risky() -> None:
    assert made(plan(), plan(pool(most=1000))).standing is Standing.SAFE


def test_a_change_without_costs_says_so() -> None:
    found = made(plan(pool()), plan(pool()))
    assert str(found.headline).startswith("Unchanged: ")
    assert set(rows(found, "What")) == {"the stack"}


def test_a_new_stack_shows_all_that_it_costs_without_arrows() -> None:
    found = made(None, plan(pool()))
    assert set(rows(found, "What")) == {"the stack", "pool l4", "cluster main"}
    assert "→" not in text(found.blocks)
    assert found.data["before"] is None


def test_a_deleted_stack_says_what_it_saves() -> None:
    found = made(plan(pool()), None)
    assert str(found.headline).startswith("Saves $73 a month idle")
    assert found.data["after"] is None


def test_a_new_and_a_removed_pool_are_told_apart() -> None:
    found = made(plan(pool("old")), plan(pool("new")))
    whole = rows(found, "What")
    assert whole["pool old"][3].endswith("→ –")
    assert whole["pool new"][3].startswith("– → ")


def test_the_way_of_buying_is_told() -> None:
    found = made(plan(pool()), plan(pool(spot=True)))
    bought = rows(found, "Nodes bought")
    assert bought["on-demand"][3] == "$1,032 → –"
    assert bought["spot"][3] == "– → $619"


def test_a_model_costs_by_its_replicas() -> None:
    found = made(plan(pool(), server(1)), plan(pool(), server(2)))
    model = rows(found, "Model")["Qwen/Qwen3-8B"]
    assert model == ["1 → 2", "l4 (on-demand)", "$0.71 → $1.41", "$516 → $1,032", "$516 → $1,032", "not measured"]


def test_a_million_tokens_are_priced_where_they_were_measured() -> None:
    costs = {"measuredTokensPerSecond": {"qwen": 1000}}
    found = made(plan(pool(), server(), costs={}), plan(pool(), server(), costs=costs))
    assert rows(found, "Model")["Qwen/Qwen3-8B"][5] == "not measured → $0.196"


def test_an_agreed_price_is_used_and_named() -> None:
    found = made(plan(pool()), plan(pool(), costs={"prices": {"g2-standard-4": {"onDemand": 0.5}}}))
    assert "agreed price" in text(found.blocks)


def test_an_older_revision_without_configuration_has_the_prices_of_the_newer() -> None:
    costs = {"prices": {"g2-standard-4": {"onDemand": 0.5}}}
    found = made(plan(pool()), plan(pool(), costs=costs))
    assert str(found.headline).startswith("Unchanged: ")


@pytest.mark.parametrize(("budget", "told"), [(2000, "$875 to spare"), (1000, "$125 over it")])
def test_the_budget_is_compared(budget: int, told: str) -> None:
    found = made(None, plan(pool(), costs={"monthlyBudget": {"maximum": budget}}))
    assert f"Budget at maximum: ${budget:,} a month; {told}." in text(found.blocks)


def test_a_budget_that_changes_says_what_it_was() -> None:
    def budget(*amounts: int) -> Any:
        sides = (plan(pool(), costs={"monthlyBudget": {"maximum": amount}} if amount else None) for amount in amounts)
        return text(made(*sides).blocks)

    assert "Budget at maximum: $2,000 a month, instead of $1,500; $875 to spare." in budget(1500, 2000)
    assert "Budget at maximum: none any more; it was $1,500 a month." in budget(1500, 0)
    found = made(plan(pool(), costs={"monthlyBudget": {"idle": 9}}), plan(pool(), costs={}))
    assert str(found.headline).endswith("at maximum. The budget changes: idle $9.00 → none.")


def test_an_unknown_price_is_in_no_sum_and_named() -> None:
    found = made(None, plan(pool(machineType="c3-standard-8", guestAccelerators=[])))
    assert str(found.headline) == "$73 a month idle, at least $93 at maximum."
    assert "Unknown, and in no sum: c3-standard-8 nodes of pool l4." in text(found.blocks)


def test_every_amount_is_its_price_times_its_count_and_has_a_source() -> None:
    found = made(None, plan(pool(fewest=1), server()))
    data: Any = found.data["after"]
    assert data["lines"]
    for line in data["lines"]:
        price = line["price"]
        divisor = 730 if price["unit"] == "GiB-month" else 1
        assert price["source"]
        assert price["row"] in text(found.blocks)
        for when in ("idle", "maximum"):
            assert line[when]["hourly"] == pytest.approx(price["usd"] / divisor * line[when]["count"])
    assert data["maximum"]["hourly"] == pytest.approx(sum(line["maximum"]["hourly"] for line in data["lines"]))


def test_a_program_that_costs_nothing_by_the_hour_has_no_section() -> None:
    network = Plan((step("gcp:compute/network:Network", "vpc", {}),))
    assert change(network, network) is None
    assert change(None, Plan(())) is None


def test_a_secret_machine_type_is_not_told() -> None:
    found = made(None, plan(pool(machineType=Secret("secret-machine-9"))))
    assert "secret-machine-9" not in text(found.blocks)
    assert "secret-machine-9" not in json.dumps(found.data)


def test_ten_thousand_pools_stay_bounded() -> None:
    found = made(plan(), plan(*(pool(f"pool-{number}") for number in range(10_000))))
    assert all(len(table.rows) < 100 for table in tables(found.blocks))
    assert "9,940 more" in text(found.blocks)
