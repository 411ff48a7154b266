"""What changes: exact, without noise, without secrets, bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.review import data, markdown, page
from rehearsal.review.report import Report, Revised, gather
from rehearsal.review.sections import diff
from tests.rehearsal.review.changes import State, between, cluster, deployment, pool, resource


def changes(before: list[State] | None, after: list[State] | None) -> list[dict[str, Any]]:
    section = diff.section(between(before, after))
    assert section is not None
    found: Any = section.data["changes"]
    return list(found)


def properties(before: State, after: State) -> dict[str, tuple[Any, Any]]:
    (change,) = changes([before], [after])
    return {prop["path"]: (prop["old"], prop["new"]) for prop in change["properties"]}


def written(before: list[State] | None, after: list[State] | None) -> str:
    stack = gather(Revised(change=between(before, after)))
    return markdown.markdown(Report(against="main", stacks=(stack,)))


def test_an_argument_more_is_one_addition_wherever_it_stands() -> None:
    before = deployment(arguments=["--a", "--b", "--c"])
    after = deployment(arguments=["--new", "--a", "--b", "--c"])
    path = 'spec.template.spec.containers["vllm"].args[1]'
    assert properties(before, after) == {path: (None, "--new")}


def test_a_changed_value_on_a_command_line_is_told_with_its_option() -> None:
    before = deployment(arguments=["--max-model-len", "4096", "--enforce-eager", "--api-key", "hunter2"])
    after = deployment(arguments=["--max-model-len", "2048", "--enforce-lazy", "--api-key", "hunter3"])
    (change,) = changes([before], [after])
    told = {
        prop["path"].rpartition(".")[2]: (prop["option"], prop["old"], prop["new"]) for prop in change["properties"]
    }
    assert told == {
        "args[2]": ("--max-model-len", "4096", "2048"),
        "args[3]": (None, "--enforce-eager", "--enforce-lazy"),
        "args[5]": ("--api-key", "[secret]", "[secret]"),
    }
    text = written([before], [after])
    assert "args[2]` – `--max-model-len` | `4096` | `2048` |" in text
    assert "hunter" not in text


def test_entries_with_names_are_compared_by_name() -> None:
    one, two, three = ({"name": name, "value": "x"} for name in ("ONE", "TWO", "THREE"))
    path = 'spec.template.spec.containers["vllm"].env["ONE"]'
    assert properties(deployment(env=[one, two, three]), deployment(env=[two, three])) == {path: (one, None)}


def test_what_forces_a_replacement_is_said_with_it() -> None:
    other = pool(config={"spot": True})
    (change,) = changes([cluster(), pool()], [cluster(), other])
    assert change["op"] == "replace"
    assert [prop["path"] for prop in change["properties"] if prop["forcesReplacement"]] == ["nodeConfig.spot"]
    assert "`nodeConfig.spot` – forces replacement" in written([cluster(), pool()], [cluster(), other])


def test_a_replaced_network_takes_along_what_stands_in_it() -> None:
    def network(profile: str) -> list[State]:
        net = resource("gcp:compute/network:Network", "net", {"name": "net-1234567", "networkProfile": profile})
        dependencies = {"propertyDependencies": {"network": [net["urn"]]}}
        inputs = {"name": "sub", "network": "projects/p/global/networks/net-1234567"}
        return [net, resource("gcp:compute/subnetwork:Subnetwork", "sub", inputs, **dependencies)]

    found = {change["name"]: change for change in changes(network("a"), network("b"))}
    assert {name: change["op"] for name, change in found.items()} == {"net": "replace", "sub": "replace"}
    (prop,) = found["sub"]["properties"]
    assert (prop["path"], prop["follows"].rpartition("::")[2]) == ("network", "net")
    assert "of `net`, which is replaced" in written(network("a"), network("b"))


def test_digests_of_other_things_are_no_news() -> None:
    def annotated(checksum: str, note: str) -> State:
        annotations = {"checksum/config": checksum, "note": note}
        return resource("kubernetes:core/v1:Service", "s", {"metadata": {"name": "s", "annotations": annotations}})

    (change,) = changes([annotated("a" * 64, "old")], [annotated("b" * 64, "new")])
    assert [prop["path"] for prop in change["properties"]] == ["metadata.annotations.note"]
    assert change["valuesThatFollow"] == 1


SECRET = "p4ssw0rd-of-somebody-1234"  # noqa: S105 - of nobody
HOLDERS = {
    "a Secret": ("kubernetes:core/v1:Secret", {"stringData": {"key": SECRET}}),
    "a secret's version": ("gcp:secretmanager/secretVersion:SecretVersion", {"secretData": SECRET}),
    "a marked value": (
        "gcp:storage/bucket:Bucket",
        {"labels": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps({"key": SECRET})}},
    ),
    "a property named like one": ("gcp:sql/user:User", {"password": SECRET}),
    "a token by its shape": ("gcp:storage/bucket:Bucket", {"labels": {"note": "hf_" + "abcdefghijKLMNOP1234567890"}}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "inputs"), HOLDERS.values(), ids=HOLDERS.keys())
def test_no_secret_is_shown_on_either_side_in_any_form(kind: str, inputs: dict[str, Any]) -> None:
    with_secret, without = resource(kind, "it", inputs), resource(kind, "it", {"other": 1})
    for before, after in (([with_secret], [without]), ([without], [with_secret])):
        stack = gather(Revised(change=between(before, after)))
        report = Report(against="main", stacks=(stack,))
        for text in (markdown.markdown(report), data.dumps(report), page.page(report)):
            assert SECRET not in text
            assert "hf_abcdefghij" not in text


def test_a_text_that_quotes_a_secret_is_blinded() -> None:
    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(SECRET)}
    holder = resource("gcp:storage/bucket:Bucket", "holder", {"labels": {"key": marked}})
    quoting = resource("gcp:storage/bucket:Bucket", "quoting", {"labels": {"note": f"it is {SECRET}"}})
    assert SECRET not in written(
        [holder, resource("gcp:storage/bucket:Bucket", "quoting", {"labels": {}})], [holder, quoting]
    )


def test_the_difference_of_long_values_is_in_sight() -> None:
    before, after = ({"description": f"{'x' * 300}{end}"} for end in ("old", "new"))
    text = written(
        [resource("gcp:compute/firewall:Firewall", "f", before)],
        [resource("gcp:compute/firewall:Firewall", "f", after)],
    )
    assert "xold`" in text
    assert "xnew`" in text


def test_a_component_stands_for_its_children_and_for_itself_where_none_changes() -> None:
    def house(size: int, child: int | None) -> list[State]:
        box = resource("house:index:Box", "box", {"size": size}, custom=False)
        inner = resource("gcp:storage/bucket:Bucket", "inner", {"labels": {"size": str(child)}}, parent=box["urn"])
        return [box, inner]

    (one,) = changes(house(1, 1), house(2, 2))
    assert (one["name"], one["component"]) == ("inner", "box")
    (alone,) = changes(house(1, 1), house(2, 1))
    assert alone["name"] == "box"


def test_ten_thousand_resources_with_hostile_names_give_a_bounded_report() -> None:
    names = ("</details><script>alert(1)</script>", "a|b`c``", "@everyone #1", "[x](https://example.com)\n# head")

    def many(value: int, count: int = 10_000) -> list[State]:
        kinds = ("gcp:storage/bucket:Bucket", "gcp:compute/firewall:Firewall", "gcp:compute/disk:Disk")
        return [
            resource(
                kinds[i % 3], f"{names[i % 4]}-{i}", {"description": f"{value} {names[i % 4]}", "name": f"n{value}"}
            )
            for i in range(count)
        ]

    change = between(many(1), many(2))
    report = Report(against="main", stacks=(gather(Revised(change=change)),))
    text, html, as_json = markdown.markdown(report), page.page(report), data.dumps(report)
    assert len(text.encode()) <= markdown.LIMIT
    assert len(html) < 5_000_000
    assert "<script>alert" not in text.replace("`", "")
    assert "<script>alert" not in html
    assert len(json.loads(as_json)["stacks"][0]["sections"]["diff"]["data"]["changes"]) == 10_000


def test_a_section_that_fails_is_one_sentence_and_hides_no_other() -> None:
    def failing(_: object) -> None:
        raise RuntimeError("a\nreason")

    stack = gather(Revised(change=between([pool()], [])), (("cost", failing), ("diff", diff.section)))
    assert [section.key for section in stack.sections] == ["cost", "diff"]
    assert "RuntimeError: a reason" in stack.sections[0].headline
    assert stack.sections[1].headline == "1 deleted; 0 unchanged."
