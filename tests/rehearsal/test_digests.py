"""Plans written and read: the shape of ``pulumi preview --json``, exported states, and what is neither."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.problems import ProblemsError
from rehearsal import diffs, digests
from rehearsal.plan import Diagnostic, Options, Plan, ResourceState, Step, Timeouts
from rehearsal.values import Secret, masked
from tests.rehearsal.conftest import Throwaway

PREFIX = "urn:pulumi:dev::house::"
FOLDER = Path(__file__).parent / "data"

KEYS = st.text(min_size=1, max_size=8).filter(lambda key: not key.startswith("__"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10) | st.builds(Secret, st.text())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
PROPERTIES = st.dictionaries(KEYS, VALUES, max_size=4)
URNS = st.text(max_size=20).map(lambda name: f"{PREFIX}gcp:compute/network:Network::{name}")
TEXTS = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@st.composite
def states(draw: st.DrawFn) -> ResourceState:
    return ResourceState(
        urn=draw(URNS),
        custom=draw(st.booleans()),
        inputs=draw(PROPERTIES),
        parent=draw(st.just("") | URNS),
        provider=draw(st.just("") | st.just(f"{PREFIX}pulumi:providers:gcp::cloud::id")),
        protect=draw(st.booleans()),
        dependencies=draw(TEXTS),
        property_dependencies=draw(st.dictionaries(KEYS, TEXTS, max_size=3)),
        options=Options(
            ignore_changes=draw(TEXTS),
            aliases=draw(TEXTS),
            retain_on_delete=draw(st.booleans()),
            timeouts=Timeouts(create=draw(st.floats(0, 1e6))),
        ),
    )


PLANS = st.builds(
    lambda found, said: Plan(
        tuple(Step("create", state) for state in {state.urn: state for state in found}.values()),
        config={"house:size": "3"},
        diagnostics=said,
        duration=7,
    ),
    st.lists(states(), max_size=4),
    st.lists(st.builds(Diagnostic, st.sampled_from(["info", "warning", "error"]), st.just("said")), max_size=2).map(
        tuple
    ),
)


def blinded(state: ResourceState) -> Mapping[str, Any]:
    return {"inputs": masked(state.inputs), "urn": state.urn, "parent": state.parent, "options": state.options}


@given(PLANS)
def test_a_plan_is_read_back_as_it_was_written_but_for_its_secrets(plan: Plan) -> None:
    back = digests.loads(digests.dumps(plan), "plan.json")

    assert [blinded(state) for state in back] == [blinded(state) for state in plan]
    assert [step.op for step in back.steps] == [step.op for step in plan.steps]
    assert (back.config, back.diagnostics, back.duration) == (plan.config, plan.diagnostics, plan.duration)
    assert digests.dumps(back) == digests.dumps(plan)


@given(PLANS)
def test_nothing_changes_between_a_plan_and_what_is_read_back(plan: Plan) -> None:
    back = digests.loads(digests.dumps(plan), "plan.json")

    assert {change.op for change in diffs.compare(back, plan).changes} <= {"same"}


def test_the_shape_is_that_of_pulumi(project: Throwaway, digest: Callable[[Plan], Any]) -> None:
    plan = project.run("""
        box = Box("box", {"size": 1}, O(protect=True))
        gcp.compute.Network("net", opts=O(parent=box, provider=cloud, ignore_changes=["mtu"],
                                          custom_timeouts=pulumi.CustomTimeouts(create="1h")))
        pulumi.log.warn("mind the gap")
    """)
    found = digest(plan)

    assert list(found) == ["config", "steps", "diagnostics", "duration", "changeSummary"]
    assert found["changeSummary"] == {"create": 5}
    assert found["diagnostics"] == [{"message": "warning: mind the gap\n", "severity": "warning"}]
    assert isinstance(found["duration"], int)
    (net,) = [step for step in found["steps"] if step["urn"].endswith("::net")]
    assert net["op"] == "create"
    assert net["detailedDiff"] is None
    state = net["newState"]
    assert state["type"] == "gcp:compute/network:Network"
    assert state["custom"] is True
    assert state["parent"].endswith("::box")
    assert state["protect"] is True
    assert state["customTimeouts"] == {"create": 3600}
    assert state["ignoreChanges"] == ["mtu"]
    assert state["propertyDependencies"] == {"name": []}
    assert "id" not in state, "what does not exist has no id"


def test_no_secret_is_written(project: Throwaway) -> None:
    plan = project.run(
        """
        key = pulumi.Config("house").require_secret("key")
        Box("box", {"key": key, "list": [key], "map": {"a": key}}).register_outputs({"out": key})
        kubernetes.core.v1.Secret("s", string_data={"key": key}, opts=O(provider=objects))
        pulumi.export("key", key)
        key.apply(lambda found: pulumi.log.warn(f"the key is {found}"))
        """,
        config={"house:key": "hunter2-hunter2"},
        secret_keys=frozenset({"house:key"}),
    )

    text = digests.dumps(plan)

    assert "hunter2" not in text
    assert "the key is [secret]" in text


def exported(*resources: Mapping[str, Any]) -> str:
    return json.dumps({"version": 3, "deployment": {"manifest": {}, "resources": list(resources)}})


SIGNATURE = "4dabf18193072939515e22adb298388d"
MARK = "1b47061264138c4ac30d75fd1eb44270"


def test_an_exported_state_is_a_baseline() -> None:
    text = exported(
        {
            "urn": f"{PREFIX}gcp:compute/network:Network::net",
            "custom": True,
            "id": "projects/p/global/networks/n",
            "type": "gcp:compute/network:Network",
            "inputs": {
                "name": "n",
                "mtu": 1460,
                "sealed": {SIGNATURE: MARK, "ciphertext": "v1:abc"},
                "open": {SIGNATURE: MARK, "plaintext": '{"a": 1}'},
            },
            "outputs": {"selfLink": "x"},
            "created": "2026-01-01T00:00:00Z",
        },
        {"urn": f"{PREFIX}gcp:compute/network:Network::going", "custom": True, "delete": True},
    )

    (step,) = digests.loads(text, "state.json").steps

    assert step.op == "same"
    assert step.state.id == "projects/p/global/networks/n"
    assert step.state.inputs["sealed"] == Secret("v1:abc", sealed=True)
    assert step.state.inputs["open"] == Secret({"a": 1})


def test_a_state_file_of_the_local_backend_is_a_baseline() -> None:
    resource = {"urn": f"{PREFIX}a:b:C::c", "custom": False}
    text = json.dumps({"version": 3, "checkpoint": {"stack": "dev", "latest": {"resources": [resource]}}})

    assert len(digests.loads(text, "dev.json").steps) == 1


def test_a_real_digest_is_read() -> None:
    plan = digests.load(FOLDER / "pulumi-preview.json")

    assert plan.changes == {"create": 3}
    assert plan.config["tiny:hush"] == "[secret]"
    assert [state.name for state in plan] == ["tiny-dev", "one", "two"]
    assert [entry.message for entry in plan.diagnostics] == ["hello", "printed\n", "there"]


def test_what_a_digest_deletes_is_not_there_afterwards() -> None:
    old = {"urn": f"{PREFIX}a:b:C::c", "custom": False}
    text = json.dumps({"steps": [{"op": "delete", "urn": old["urn"], "oldState": old}], "changeSummary": {"delete": 1}})

    assert not digests.loads(text, "plan.json").steps


def test_a_digest_that_leaves_out_what_stays_is_refused() -> None:
    text = json.dumps({"steps": [], "changeSummary": {"same": 12}})

    with pytest.raises(ProblemsError, match="leaves out 12 unchanged resources") as caught:
        digests.loads(text, "plan.json")

    assert "--show-sames" in str(caught.value)


def created(state: Mapping[str, Any]) -> str:
    return json.dumps({"steps": [{"op": "create", "newState": {"urn": f"{PREFIX}a:b:C::c", **state}}]})


HOSTILE = {
    "empty": "",
    "not JSON": "steps: []",
    "half": '{"steps": [',
    "null": "null",
    "a list": "[]",
    "a number": "7",
    "another object": '{"hello": 1}',
    "steps as text": '{"steps": "many"}',
    "a step as text": '{"steps": ["one"]}',
    "a step without op": '{"steps": [{"urn": "x"}]}',
    "a name that is no URN": '{"steps": [{"op": "create", "urn": "x", "newState": {"urn": "x"}}]}',
    "inputs as list": created({"inputs": []}),
    "dependencies as text": created({"dependencies": "x"}),
    "resources as text": '{"deployment": {"resources": "all"}}',
    "a resource as number": '{"deployment": {"resources": [1]}}',
    "nested without end": "[" * 100_000,
    "a number without end": "1" * 10_000,
    "a broken secret": exported(
        {"urn": f"{PREFIX}a:b:C::c", "inputs": {"x": {SIGNATURE: MARK, "plaintext": "not json"}}}
    ),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(ProblemsError, match=r"plan\.json"):
        digests.loads(text, "plan.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "steps",
                        "op",
                        "urn",
                        "newState",
                        "inputs",
                        "deployment",
                        "resources",
                        "changeSummary",
                        "same",
                        "x",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_read_or_refused_in_words(content: object) -> None:
    with contextlib.suppress(ProblemsError):
        digests.loads(json.dumps(content), "plan.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="cannot be read"):
        digests.load(tmp_path / "none.json")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b'\xef\xbb\xbf{"steps": []}')

    assert not digests.load(tmp_path / "plan.json").steps
