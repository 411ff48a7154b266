"""What arrives on the wire is what the rules see."""

from __future__ import annotations

from typing import Any

import pulumi_policy.deserialize
import pulumi_policy.proxy
import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import rpc
from pulumi.runtime.proto import analyzer_pb2

from inference.facts.wire import KEY, SIGNATURES, UNKNOWNS
from inference.facts.wire import UNKNOWN as UNKNOWN_MARK
from inference.rules.views.values import UNKNOWN, Secret
from policies.decoding import properties, resource
from tests.policies.samples import DEPLOYMENT, of_stack, request, secret, struct, urn


def decoded(value: Any) -> Any:
    return properties(struct({"it": value}))["it"]


def test_plain_values_keep_their_types_and_numbers_are_floats() -> None:
    given = {"text": "a", "empty": "", "no": False, "yes": True, "count": 3, "none": None, "list": ["a", [], {}]}

    found = properties(struct(given))

    assert found == {**given, "count": 3.0}
    assert type(found["count"]) is float
    assert type(found["no"]) is bool


@pytest.mark.parametrize("mark", sorted(UNKNOWNS))
def test_every_mark_of_an_unknown_value_is_unknown_wherever_it_stands(mark: str) -> None:
    assert decoded(mark) is UNKNOWN
    assert decoded({"deep": {"er": mark}}) == {"deep": {"er": UNKNOWN}}
    assert decoded([mark, "b"]) == [UNKNOWN, "b"]


def test_the_marks_are_those_of_the_sdk() -> None:
    sdk = {value for name, value in vars(pulumi_policy.proxy).items() if name.startswith("UNKNOWN_")}
    assert sdk == UNKNOWNS
    assert rpc.UNKNOWN in UNKNOWNS
    assert pulumi_policy.deserialize.SPECIAL_SIG_KEY == KEY
    assert {
        "asset": pulumi_policy.deserialize.SPECIAL_ASSET_SIG,
        "archive": pulumi_policy.deserialize.SPECIAL_ARCHIVE_SIG,
        "secret": pulumi_policy.deserialize.SPECIAL_SECRET_SIG,
        "resource": rpc._special_resource_sig,
        "output": rpc._special_output_value_sig,
    } == SIGNATURES


def test_a_secret_stays_marked_and_is_marked_once() -> None:
    assert decoded(secret("hidden")) == Secret("hidden")
    assert decoded(secret(secret({"a": secret("b")}))) == Secret({"a": Secret("b")})
    assert decoded(secret(UNKNOWN_MARK)) == Secret(UNKNOWN)
    assert decoded({KEY: SIGNATURES["secret"]}) == Secret(UNKNOWN)


def test_an_output_value_is_what_it_holds() -> None:
    output = {KEY: SIGNATURES["output"], "dependencies": ["urn:a"]}
    assert decoded({**output, "value": {"a": 1}}) == {"a": 1.0}
    assert decoded(output) is UNKNOWN, "an output value without a value is not known yet"
    assert decoded({**output, "value": "x", "secret": True}) == Secret("x")
    assert decoded({**output, "value": "x", "secret": False}) == "x"
    assert decoded({**output, "secret": True}) == Secret(UNKNOWN)


def test_a_resource_reference_is_the_id_or_the_urn_of_a_component() -> None:
    reference = {KEY: SIGNATURES["resource"], "urn": "urn:a", "packageVersion": "1.0"}
    assert decoded({**reference, "id": "projects/p/networks/n"}) == "projects/p/networks/n"
    assert decoded({**reference, "id": ""}) is UNKNOWN
    assert decoded({**reference, "id": UNKNOWN_MARK}) is UNKNOWN
    assert decoded(reference) == "urn:a"
    assert decoded({KEY: SIGNATURES["resource"]}) is UNKNOWN


def test_assets_and_archives_are_maps_of_their_parts() -> None:
    assert decoded({KEY: SIGNATURES["asset"], "text": "echo", "hash": "abc"}) == {"text": "echo", "hash": "abc"}
    nested = {KEY: SIGNATURES["archive"], "assets": {"run.sh": {KEY: SIGNATURES["asset"], "path": "run.sh"}}}
    assert decoded(nested) == {"assets": {"run.sh": {"path": "run.sh"}}}


def test_a_mark_of_a_later_protocol_is_unknown() -> None:
    assert decoded({KEY: "0123456789abcdef", "value": "x"}) is UNKNOWN
    assert decoded({KEY: {"odd": True}}) is UNKNOWN


def test_a_property_that_nests_beyond_reason_is_unknown_and_its_neighbors_are_not() -> None:
    bottom = Value(string_value="x")
    for _ in range(5000):
        bottom = Value(list_value=ListValue(values=[bottom]))
    found = properties(Struct(fields={"deep": bottom, "flat": Value(string_value="y")}))

    assert found == {"deep": UNKNOWN, "flat": "y"}


def test_a_resource_by_itself_has_its_options_and_provider() -> None:
    provider = analyzer_pb2.AnalyzerProviderResource(
        type="pulumi:providers:kubernetes", name="gke", urn="urn:p", properties=struct({"kubeconfig": secret("k")})
    )
    options = analyzer_pb2.AnalyzerResourceOptions(
        protect=True,
        ignoreChanges=["spec"],
        deleteBeforeReplace=False,
        deleteBeforeReplaceDefined=True,
        additionalSecretOutputs=["token"],
        aliases=["urn:old"],
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(create=600.0),
        parent="urn:parent",
    )

    found = resource(request(DEPLOYMENT, {"a": 1}, name="web", options=options, provider=provider))

    assert (found.type, found.name, found.urn, found.parent) == (
        DEPLOYMENT,
        "web",
        urn(DEPLOYMENT, "web"),
        "urn:parent",
    )
    assert dict(found.options.items()) == {
        "protect": True,
        "ignoreChanges": ["spec"],
        "deleteBeforeReplace": False,
        "additionalSecretOutputs": ["token"],
        "aliases": ["urn:old"],
        "customTimeouts": {"create": 600.0},
        "parent": "urn:parent",
    }
    assert found.provider is not None
    assert (found.provider.type, found.provider.name, found.provider.urn) == (provider.type, "gke", "urn:p")
    assert found.provider.props.secret("kubeconfig")


def test_maps_are_in_order_whatever_the_wire_does() -> None:
    names = [f"{letter}{number}" for letter in "zyxabc" for number in range(9)]
    assert list(properties(struct(dict.fromkeys(names, 1)))) == sorted(names)
    assert list(decoded(dict.fromkeys(names, "x"))) == sorted(names)


def test_options_that_nobody_set_are_absent() -> None:
    found = resource(request(DEPLOYMENT, {}))

    assert dict(found.options.items()) == {"protect": False}
    assert found.provider is None
    assert found.options.absent("deleteBeforeReplace")


def test_a_resource_of_a_stack_has_its_edges() -> None:
    edges = {"spec": analyzer_pb2.AnalyzerPropertyDependencies(urns=["urn:b"])}

    found = resource(
        of_stack(DEPLOYMENT, {}, parent="urn:parent", dependencies=["urn:a", "urn:b"], propertyDependencies=edges)
    )

    assert found.parent == "urn:parent"
    assert found.dependencies == ("urn:a", "urn:b")
    assert found.property_dependencies == {"spec": ("urn:b",)}


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(sorted(UNKNOWNS)),
    st.sampled_from(sorted(SIGNATURES.values())),
)
keys = st.one_of(st.text(max_size=5), st.sampled_from([KEY, "value", "id", "urn", "secret", "assets"]))
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, trees, max_size=5))
def test_nothing_on_the_wire_makes_the_decoder_fail(tree: dict[str, Any]) -> None:
    found = properties(struct(tree))

    assert set(found) == set(tree), "every property has a value, be it unknown"
    assert not any(marks in repr(found) for marks in UNKNOWNS), "no mark of an unknown value is left"


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), plain, max_size=5))
def test_plain_data_arrives_as_it_was_sent(tree: dict[str, Any]) -> None:
    assert properties(struct(tree)) == tree
