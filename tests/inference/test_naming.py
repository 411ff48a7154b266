from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.naming import bounded

names = st.from_regex(r"[a-z][a-z0-9-]{0,80}[a-z0-9]", fullmatch=True)


@given(names, st.integers(10, 63))
def test_a_bounded_name_keeps_the_limit_and_its_form(name: str, limit: int) -> None:
    short = bounded(name, limit)
    assert len(short) <= limit
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", short)


@given(names)
def test_a_name_within_the_limit_stays_as_it_is(name: str) -> None:
    assert bounded(name, len(name) if len(name) > 7 else 8) == name


@given(names, names)
def test_names_that_share_a_long_beginning_stay_apart(one: str, other: str) -> None:
    prefix = "x" * 40
    if one != other:
        assert bounded(prefix + one, 20) != bounded(prefix + other, 20)


def test_a_limit_without_room_for_the_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no room"):
        bounded("name", 7)
