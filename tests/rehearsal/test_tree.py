"""What a person reads: the tree, the verdict, the summary; nothing in a name can disturb the terminal."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rehearsal import diffs, tree
from rehearsal.plan import Diagnostic, Plan, ResourceState, Step
from rehearsal.texts import cut, plain, plural
from rehearsal.values import Secret
from rehearsal.verdict import Finding, Verdict
from tests.rehearsal.conftest import Throwaway

PREFIX = "urn:pulumi:dev::house::"


def printed(show: Callable[..., None], *arguments: object, width: int = 120) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=width, highlight=False), *arguments)
    return stream.getvalue()


def state(name: str, parent: str = "", kind: str = "gcp:compute/network:Network", **more: object) -> ResourceState:
    return ResourceState(urn=f"{PREFIX}{kind}::{name}", custom=True, parent=parent, **more)  # type: ignore[arg-type]


def plan(*states: ResourceState) -> Plan:
    return Plan(tuple(Step("create", one) for one in states))


def test_the_tree_nests_as_components_do(project: Throwaway) -> None:
    made = project.run("""
        box = Box("box")
        inner = Box("inner", opts=O(parent=box, providers=[cloud]))
        gcp.compute.Network("deep", opts=O(parent=inner))
        Box("last", opts=O(parent=box))
    """)
    lines = [line.rstrip() for line in printed(tree.print_tree, made).splitlines()]

    assert lines[0].split() == ["Type", "Name", "Plan"]
    assert [line[5:].removesuffix("create").rstrip().rpartition("  ")[0].rstrip() for line in lines[1:]] == [
        "pulumi:pulumi:Stack",
        "├─ pulumi:providers:gcp",
        "├─ pulumi:providers:kubernetes",
        "└─ gke-inference:index:Box",
        "   ├─ gke-inference:index:Box",
        "   │  └─ gcp:compute:Network",
        "   └─ gke-inference:index:Box",
    ]
    assert all(line.startswith(" + ") and line.endswith("create") for line in lines[1:])


def test_a_comparison_shows_only_what_changes_and_what_holds_it() -> None:
    box = state("box", kind="a:b:Box")
    still = state("still", box.urn)
    old, new = (state("net", box.urn, inputs={"mtu": mtu, "key": Secret(mtu)}) for mtu in (1460, 8896))
    before, after = plan(box, still, old, state("gone")), plan(box, still, new)

    text = printed(tree.print_tree, after, diffs.compare(before, after))

    assert "still" not in text
    assert "box" in text
    assert "mtu: 1460 → 8896" in text
    assert "key: [secret] → [secret]" in text
    assert "delete" in text.splitlines()[-1]


def test_nothing_is_said_in_words() -> None:
    same = plan(state("net"))

    assert printed(tree.print_tree, same, diffs.compare(same, same)) == "Nothing changes.\n"


def test_what_forces_a_new_resource_is_marked() -> None:
    kind = "gcp:container/nodePool:NodePool"
    before, after = (plan(state("pool", kind=kind, inputs={"maxPodsPerNode": n})) for n in (64, 110))

    text = printed(tree.print_tree, after, diffs.compare(before, after))

    assert " +- " in text
    assert "maxPodsPerNode: 64 → 110 (forces replacement)" in text


@given(st.text(max_size=60), st.integers(40, 200))
def test_no_name_disturbs_the_terminal_or_breaks_the_line(name: str, width: int) -> None:
    text = printed(tree.print_tree, plan(state(name)), width=width)

    assert len(text.splitlines()) == 2
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert all(cell_len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("\u202eevil", "\\u202eevil"),
        ("two\nlines", "two\nlines"),
        ("naïve 名前", "naïve 名前"),
    ],
)
def test_what_is_not_visible_is_escaped(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_long_names_are_cut_to_the_width() -> None:
    assert cut("x" * 100, 10) == "x" * 9 + "…"
    assert cut("short", 10) == "short"


def test_counts_agree_with_their_nouns() -> None:
    assert [plural(1, "policy"), plural(2, "policy"), plural(1200, "resource")] == [
        "1 policy",
        "2 policies",
        "1,200 resources",
    ]


def finding(level: str, severity: str, name: str, message: str = "It must not be.", remedy: str = "") -> Finding:
    return Finding(f"{level}-{severity}", "pack", level, severity, state(name).urn, message, "What.", remedy)


def test_the_verdict_is_grouped_by_resource_the_worst_first() -> None:
    judged = Verdict(
        (
            finding("advisory", "low", "a"),
            finding("mandatory", "high", "b"),
            finding("mandatory", "critical", "c", "First line.\nSecond line.", "Mend it."),
            finding("advisory", "critical", "b"),
        ),
        ("pack",),
        7,
    )
    text = printed(tree.print_verdict, judged)

    assert "2 mandatory, 2 advisory (7 policies of pack)" in text
    places = [text.index(part) for part in ("  c\n", "First line.", "Second line.", "do: Mend it.", "  b\n", "  a\n")]
    assert places == sorted(places)


def test_a_clean_verdict_and_none_are_told_apart() -> None:
    assert "no violation (7 policies of pack)" in printed(tree.print_verdict, Verdict((), ("pack",), 7))
    assert "not judged" in printed(tree.print_verdict, Verdict())


def test_a_long_message_is_wrapped_below_itself() -> None:
    judged = Verdict((finding("mandatory", "high", "a", "word " * 40),), ("pack",), 1)

    lines = printed(tree.print_verdict, judged, width=60).splitlines()

    assert len([line for line in lines if line.startswith("      word")]) >= 4


def test_markup_in_a_message_is_text() -> None:
    judged = Verdict((finding("mandatory", "high", "[bold]x", "[red]not red[/red] [/]"),), ("pack",), 1)

    assert "[red]not red[/red] [/]" in printed(tree.print_verdict, judged)


def test_the_summary_says_what_the_stack_is() -> None:
    made = plan(
        state("c", kind="gcp:container/cluster:Cluster", inputs={"name": "main", "location": "us-central1"}),
        state(
            "h200",
            kind="gcp:container/nodePool:NodePool",
            inputs={
                "nodeConfig": {
                    "machineType": "a3-ultragpu-8g",
                    "guestAccelerators": [{"count": 8, "type": "nvidia-h200-141gb"}],
                },
                "autoscaling": {"totalMinNodeCount": 2, "totalMaxNodeCount": 4},
            },
        ),
        state("m", kind="gke-inference:index:VllmServer", inputs={"model": "Qwen/Q", "replicas": 2, "accelerators": 8}),
        state(
            "g",
            kind="gke-inference:index:InferenceGateway",
            inputs={"hostname": "llm.example.com", "exposure": "external"},
        ),
    )
    text = printed(tree.print_summary, made)

    assert "main in us-central1" in text
    assert "h200: a3-ultragpu-8g with 8 nvidia-h200-141gb × 2–4 nodes" in text
    assert "Qwen/Q: 2 replicas of 8 accelerators" in text
    assert "https://llm.example.com (external)" in text


@pytest.mark.parametrize(
    "inputs", [{}, {"nodeConfig": "x", "autoscaling": 3}, {"nodeConfig": {"guestAccelerators": [1]}}]
)
def test_the_summary_bears_with_any_pool(inputs: dict[str, object]) -> None:
    made = plan(state("p", kind="gcp:container/nodePool:NodePool", inputs=inputs))

    assert "p: the default machine" in printed(tree.print_summary, made)


def test_diagnostics_are_told_with_their_resource_and_without_secrets() -> None:
    made = Plan(
        (Step("create", state("net", inputs={"key": Secret("hunter2")})),),
        diagnostics=(Diagnostic("warning", "hunter2 is weak", state("net").urn), Diagnostic("info", "\n")),
    )
    text = printed(tree.print_diagnostics, made)

    assert "net: warning: [secret] is weak" in text
    assert len(text.strip().splitlines()) == 2


def test_a_plan_of_ten_thousand_resources_nested_without_end_is_printed() -> None:
    states = [state("0")]
    for place in range(1, 500):
        states.append(state(str(place), states[-1].urn))
    states += [state(f"wide-{place}", states[0].urn) for place in range(9_500)]
    started = time.monotonic()

    text = printed(tree.print_tree, plan(*states), width=100)

    assert len(text.splitlines()) == 10_001
    assert time.monotonic() - started < 20
