"""A difference between two tables is reported until it is known, and a known one until it is struck off."""

from __future__ import annotations

from tests.support.disagreements import Disagreement, unexplained

KNOWN = {"b": Disagreement(theirs=1, ours=2, why="they round", source="https://example.com, 2026")}


def test_tables_that_agree_save_for_what_is_known_are_fine() -> None:
    assert not unexplained({"a": 1, "b": 1}, {"a": 1, "b": 2, "c": 3}, KNOWN)


def test_a_new_difference_names_question_and_both_answers() -> None:
    assert unexplained({"a": 1}, {"a": 2}, {}) == ["a: they say 1, our table says 2"]
    assert unexplained({"a": 1}, {}, {}) == ["a: they say 1, our table says None"]


def test_a_difference_that_is_gone_has_to_be_struck_off() -> None:
    assert unexplained({"b": 2}, {"b": 2}, KNOWN) == ["b: known as 1 against 2, is 2 against 2"]
    assert unexplained({}, {"b": 2}, KNOWN) == ["b: known as 1 against 2, is None against 2"]
