"""Rules in CEL, on small schemas: what they see, what they say, and that none is passed over in silence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.celrules import asked, broken_rules, rules, unsupported


def schema(rule: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule, **more}]}


TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
WAIT = {"type": "string", "format": "duration"}


@pytest.mark.parametrize(
    ("rule", "properties", "value", "holds"),
    [
        ("self.a <= self.b", {"a": NUMBER, "b": NUMBER}, {"a": 9, "b": 10}, True),
        ("self.a <= self.b", {"a": NUMBER, "b": NUMBER}, {"a": 10, "b": 9}, False),
        ("self.a <= self.b", {"a": TEXT, "b": TEXT}, {"a": "9s", "b": "10s"}, False),
        ("self.a <= self.b", {"a": WAIT, "b": WAIT}, {"a": "9s", "b": "10s"}, True),
        ("self.a < 0.5", {"a": {"type": "number"}}, {"a": 0}, True),
        ("!has(self.a) || self.a == 'x'", {"a": TEXT}, {}, True),
        ("has(self.__namespace__)", {"namespace": TEXT}, {"namespace": "x"}, True),
        ("self.a__dash__b == 'x'", {"a-b": TEXT}, {"a-b": "x"}, True),
        ("self.a.all(key, key.startsWith('x'))", {"a": {"type": "object", "additionalProperties": TEXT}}, {"a": {"x-y": "", "z": ""}}, False),
        ("self.a != 0", {"a": {"x-kubernetes-int-or-string": True}}, {"a": "http"}, True),
        ("self.a != 0", {"a": {"x-kubernetes-int-or-string": True}}, {"a": 0}, False),
        ("duration(self.a) > duration('1m')", {"a": TEXT}, {"a": "90s"}, True),
        ("isURL(self.a)", {"a": TEXT}, {"a": "http://proxy:3128"}, True),
        ("isURL(self.a)", {"a": TEXT}, {"a": "proxy"}, False),
        ("isIP(self.a) && ip(self.a).family() == 4", {"a": TEXT}, {"a": "10.0.0.9"}, True),
        ("cidr('10.0.0.0/8').containsIP(self.a)", {"a": TEXT}, {"a": "11.0.0.9"}, False),
        ("isCIDR(self.a)", {"a": TEXT}, {"a": "10.0.0.9"}, False),
        ("quantity(self.a).isGreaterThan(quantity('1000Mi'))", {"a": TEXT}, {"a": "1Gi"}, True),
        ("quantity(self.a).compareTo(quantity('1'))  == 0", {"a": TEXT}, {"a": "1000m"}, True),
        ("isQuantity(self.a)", {"a": TEXT}, {"a": "1 GB"}, False),
        ("self.a.split('/')[0].lowerAscii() == 'x'", {"a": TEXT}, {"a": "X/y"}, True),
        ("self.a.find('[0-9]+') == '12'", {"a": TEXT}, {"a": "a12b3"}, True),
        ("self.a.isSorted() && self.a.sum() == 6", {"a": {"type": "array", "items": NUMBER}}, {"a": [1, 2, 3]}, True),
    ],
)  # fmt: skip
def test_a_rule_is_judged_as_an_api_server_judges_it(rule: str, properties: Any, value: Any, holds: bool) -> None:
    found = list(broken_rules(value, schema(rule, properties)))
    assert found == ([] if holds else [f": failed rule: {rule}"])


def test_a_rule_that_reads_what_is_not_there_fails_and_says_so() -> None:
    (found,) = broken_rules({}, schema("self.a == ''", {"a": TEXT}))
    assert "no such member" in found


def test_fields_that_the_schema_does_not_name_are_out_of_sight() -> None:
    (found,) = broken_rules({"b": 1}, schema("self.b == 1", {"a": TEXT}))
    assert "no such member" in found


def test_a_broken_rule_says_its_message_at_its_place() -> None:
    inner = schema("self.a > 0", {"a": NUMBER}, message="must be positive")
    outer = {"properties": {"list": {"items": inner}, "map": {"additionalProperties": inner}}}
    value = {"list": [{"a": 1}, {"a": 0}], "map": {"x": {"a": -1}}}
    assert list(broken_rules(value, outer)) == [".list[1]: must be positive", ".map.x: must be positive"]


def test_a_message_may_be_computed() -> None:
    made = schema("self.a > 0", {"a": NUMBER}, messageExpression="'%d is too small'.format([self.a])")
    assert list(broken_rules({"a": -1}, made)) == [": -1 is too small"]


def test_a_rule_on_a_change_is_left_out_unless_it_takes_a_new_object() -> None:
    assert not list(asked({"a": 1}, schema("self.a == oldSelf.a", {"a": NUMBER})))
    (rule,) = rules(schema("self.a == oldSelf.a", {"a": NUMBER}))
    assert rule.is_transition


def test_a_rule_that_cannot_be_judged_is_reported_and_never_passed() -> None:
    made = schema("self.a.reverseWords() == 'x'", {"a": TEXT})
    (rule,) = rules(made)
    assert unsupported(rule) == ("reverseWords",)
    (found,) = broken_rules({"a": "x"}, made)
    assert "cannot be judged" in found


def test_a_rule_in_a_syntax_that_is_not_known_is_reported_and_never_passed() -> None:
    made = schema("self.?a.orValue(1) == 1", {"a": NUMBER})
    (found,) = broken_rules({"a": 1}, made)
    assert "cannot be judged" in found


def test_a_rule_that_takes_an_absent_old_object_is_reported_and_never_passed() -> None:
    made = schema("!oldSelf.hasValue() || self.a == 1", {"a": NUMBER}, optionalOldSelf=True)
    (found,) = broken_rules({"a": 1}, made)
    assert "cannot be judged" in found
