from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal import urns

WORDS = st.text(st.characters(blacklist_characters=":$"), min_size=1, max_size=20)
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: "::" not in name and not name.startswith(":"))


@given(stack=WORDS, project=WORDS, name=st.text(min_size=1, max_size=60))
def test_what_is_made_is_read_back(stack: str, project: str, name: str) -> None:
    urn = urns.make(stack, project, "", "gcp:compute/network:Network", name)

    assert urns.parse(urn) == (stack, project, "gcp:compute/network:Network", name)


def test_the_types_of_all_parents_stand_before_the_type() -> None:
    outer = urns.make("dev", "house", "", "a:b:Outer", "outer")
    inner = urns.make("dev", "house", outer, "a:b:Inner", "inner")
    leaf = urns.make("dev", "house", inner, "gcp:compute/network:Network", "leaf")

    assert leaf == "urn:pulumi:dev::house::a:b:Outer$a:b:Inner$gcp:compute/network:Network::leaf"
    assert urns.resource_type(leaf) == "gcp:compute/network:Network"


def test_the_stack_leaves_no_trace_in_its_childrens_urns() -> None:
    stack = urns.make("dev", "house", "", urns.STACK, "house-dev")

    assert urns.make("dev", "house", stack, "a:b:C", "c") == "urn:pulumi:dev::house::a:b:C::c"


@pytest.mark.parametrize("text", ["", "urn:pulumi:", "urn:pulumi:a::b::c", "a::b::c::d", "urn:aws:a::b::c::d"])
def test_what_is_no_urn_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a URN"):
        urns.parse(text)


def test_a_reference_is_a_urn_and_an_id() -> None:
    urn = urns.make("dev", "house", "", "pulumi:providers:gcp", "cloud")

    assert urns.reference(f"{urn}::some-id") == urn
    assert urns.reference(f"{urn}::") == urn
    assert urns.reference("") == ""


def test_digits_belong_to_the_resource() -> None:
    assert urns.digits("a", 7) == urns.digits("a", 7)
    assert urns.digits("a", 7) != urns.digits("b", 7)
    assert len(urns.digits("a", 7)) == 7
