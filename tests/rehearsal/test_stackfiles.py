"""Stack files are read as the CLI reads them, and everything that is wrong is said with its place."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.problems import Problem, ProblemsError
from rehearsal import project as projects
from rehearsal import stackfiles, yamlfiles
from rehearsal.stackfiles import PLACEHOLDER, StackFile
from tests.rehearsal.conftest import Throwaway

Read = Callable[[str], StackFile]


@pytest.fixture
def read(project: Throwaway) -> Read:
    def read(text: str) -> StackFile:
        path = project.root / "Pulumi.dev.yaml"
        path.write_text(text, encoding="utf-8")
        return stackfiles.read(path, projects.find(project.root), "dev")

    return read


def test_values_are_passed_as_the_cli_passes_them(read: Read) -> None:
    file = read("""
        config:
          bare: 3
          gcp:project: my-project
          house:flag: true
          house:half: 2.50
          house:empty:
          house:map: {b: [x, 1, true, null], a: "é<>"}
    """)

    assert dict(file.config) == {
        "house:bare": "3",
        "gcp:project": "my-project",
        "house:flag": "true",
        "house:half": "2.5",
        "house:empty": "",
        "house:map": '{"a":"é<>","b":["x",1,true,null]}',
    }


def test_words_are_words_and_numbers_are_numbers_as_in_the_cli(read: Read) -> None:
    file = read(
        "config:\n  house:o: {t: 02:00, y: yes, on: on, oct: 010, o8: 0o10, hex: 0x1F, bin: 0b11, e: 1e3, u: 1_000,"
        ' neg: -.5, nul: ~, date: 2020-01-01, k: {1: a, true: b}, quoted: "1", inf: 1e400}\n'
    )

    assert json.loads(file.config["house:o"]) == {
        "t": "02:00",
        "y": "yes",
        "on": "on",
        "oct": 8,
        "o8": 8,
        "hex": 31,
        "bin": 3,
        "e": 1000,
        "u": 1000,
        "neg": -0.5,
        "nul": None,
        "date": "2020-01-01",
        "k": {"1": "a", "true": "b"},
        "quoted": "1",
        "inf": "1e400",
    }


def test_anchors_and_merges_are_followed(read: Read) -> None:
    file = read("config:\n  house:p: &p {a: 1, b: 1}\n  house:q: {<<: *p, b: 2}\n")

    assert json.loads(file.config["house:q"]) == {"a": 1, "b": 2}


def test_our_own_sections_are_handed_over_as_they_stand(read: Read) -> None:
    file = read("config:\n  gke-inference:pools: {t4: {kind: gpu}}\n  gcp:region: us-central1\n")

    assert dict(file.sections) == {"pools": {"t4": {"kind": "gpu"}}}


def test_encrypted_values_become_a_placeholder_and_mark_their_key(read: Read) -> None:
    file = read("""
        encryptionsalt: v1:abc
        config:
          house:plain: x
          house:key: {secure: v1:AAAA}
          house:deep: {a: [{secure: v1:BBBB}], b: 1}
    """)

    assert file.secret_keys == {"house:key", "house:deep"}
    assert file.config["house:key"] == PLACEHOLDER
    assert json.loads(file.config["house:deep"]) == {"a": [PLACEHOLDER], "b": 1}
    assert file.shown["house:key"] == "[secret]"
    assert json.loads(file.shown["house:deep"]) == {"a": ["[secret]"], "b": 1}


def test_defaults_of_the_project_fill_what_the_stack_leaves_out(project: Throwaway, read: Read) -> None:
    project.write(
        {
            "Pulumi.yaml": """
                name: house
                runtime: {name: python, options: {toolchain: pip}}
                config:
                  size: 4
                  color: {type: string, default: red}
                  other:thing: {value: [1]}
            """
        }
    )

    assert dict(read("config: {color: blue}").config) == {
        "house:size": "4",
        "house:color": "blue",
        "other:thing": "[1]",
    }


def test_a_value_that_the_project_demands_is_asked_for(project: Throwaway, read: Read) -> None:
    project.write({"Pulumi.yaml": "name: house\nruntime: python\nconfig: {size: {type: integer}}\n"})

    with pytest.raises(ProblemsError, match=r"house:size — missing"):
        read("config: {}")


@pytest.mark.parametrize("text", ["", "config:\n", "{}\n", "# nothing\n"])
def test_an_empty_stack_file_configures_nothing(read: Read, text: str) -> None:
    assert not read(text).config


WRONG = {
    "a key written twice": ("config:\n  house:a: 1\n  house:a: 2\n", ["Pulumi.dev.yaml:3", "line 2", "Keep one"]),
    "a nested key written twice": ("config:\n  house:a: {b: 1, b: 2}\n", ["Pulumi.dev.yaml:2", '"b"']),
    "a tab": ("config:\n\thouse:a: 1\n", ["Pulumi.dev.yaml:2 — a tab", "spaces only"]),
    "an open brace": (
        "config:\n  house:a: {b: 1\n  house:c: 2\n",
        ["the { in line 2 is still open", "with } in line 2"],
    ),
    "an open bracket": (
        "config:\n  house:a: [b\n  house:c: 2\n",
        ["the [ in line 2 is still open", "with ] in line 2"],
    ),
    "an open quote": ('config:\n  house:a: "x\n', ["Pulumi.dev.yaml:", "quotes"]),
    "an unknown anchor": ("config:\n  house:a: *nowhere\n", ["Pulumi.dev.yaml:2", "nowhere"]),
    "a foreign tag": ("config:\n  house:a: !!python/object:os.system x\n", ["Pulumi.dev.yaml:2", "constructor"]),
    "two documents": ("config: {}\n---\nconfig: {}\n", ["Pulumi.dev.yaml:2 — a second document", "line ---"]),
    "a list": ("- a\n", ["a list", "is a map"]),
    "a text": ("hello\n", ['the text "hello"']),
    "config as a list": ("config: [1]\n", ["config — is a list"]),
    "a misspelled top key": ("confg: {}\n", ['Did you mean "config"?']),
    "a section outside config": ("gke-inference:pools: {}\n", ["Indent it below config:"]),
    "a bare section outside config": ("pools: {}\n", ["Indent it below config:"]),
    "a misspelled section": ("config:\n  gke-inference:pool: {}\n", ['Did you mean "gke-inference:pools"?']),
    "an unknown section": ("config:\n  gke-inference:zzz: {}\n", ["The keys are: cluster"]),
    "a misspelled namespace": ("config:\n  gke-inferrence:pools: {}\n", ['Did you mean "gke-inference:pools"?']),
    "a key of three parts": ("config:\n  a:b:c: 1\n", ["namespace:name"]),
    "a list as key": ("config:\n  ? [a]\n  : 1\n", ["Pulumi.dev.yaml:2", "word"]),
    "half a character": ('config: {a: "\\ud800"}\n', ["Pulumi.dev.yaml:1", "half a character"]),
    "a control character": ("config: {a: \x07}\n", ["not YAML"]),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_its_place(read: Read, text: str, expected: list[str]) -> None:
    with pytest.raises(ProblemsError) as caught:
        read(text)

    for part in expected:
        assert part in str(caught.value)


def test_every_problem_is_told_at_once(read: Read) -> None:
    with pytest.raises(ProblemsError) as caught:
        read("confg: {}\nconfig:\n  gke-inference:pool: {}\n  a:b:c: 1\n")

    assert len(caught.value.problems) == 3


OURS = """\
config:
  gke-inference:cluster: {project: my-project, location: us-central1-a, environment: development}
  gke-inference:pols:
    t4:
      kind: gpu
      machineType: n1-standard-4
      acelerator: nvidia-tesla-t4
"""


def test_a_misspelled_section_hides_no_problem_inside_the_others_or_itself(project: Throwaway, read: Read) -> None:
    project.write({"Pulumi.yaml": "name: gke-inference\nruntime: python\n"})

    with pytest.raises(ProblemsError) as caught:
        read(OURS)

    assert [problem.where for problem in caught.value.problems] == [
        "Pulumi.dev.yaml:3: gke-inference:pols",
        "Pulumi.dev.yaml:4: pools.t4.nodes",
        "Pulumi.dev.yaml:7: pools.t4.acelerator",
    ]


def test_what_was_only_misspelled_is_not_called_missing_too(project: Throwaway, read: Read) -> None:
    declared = "config: {gke-inference:cluster: {type: object}}\n"
    project.write({"Pulumi.yaml": f"name: gke-inference\nruntime: python\n{declared}"})

    with pytest.raises(ProblemsError) as misspelled:
        read("config: {gke-inference:clutser: {}}\n")
    with pytest.raises(ProblemsError) as absent:
        read("")

    assert "gke-inference:cluster — missing" not in str(misspelled.value)
    assert "with project, location, environment below it" in str(absent.value)


def test_a_problem_is_placed_at_the_line_of_the_nearest_setting_that_is_written(read: Read) -> None:
    file = read("config:\n  house:a: 1\n  gke-inference:pools:\n    t4:\n      nodes: {min: 5,\n        max: 3}\n")
    wheres = ("pools.t4.nodes.max", "pools.t4.zone", "pools.l4", "costs", "stack")

    with pytest.raises(ProblemsError) as caught, file.placed():
        raise ProblemsError("stack dev", [Problem(where, "is", "because", "do") for where in wheres])

    assert caught.value.source == "Pulumi.dev.yaml"
    assert [problem.where for problem in caught.value.problems] == [
        "Pulumi.dev.yaml:6: pools.t4.nodes.max",
        "Pulumi.dev.yaml:4: pools.t4.zone",
        "Pulumi.dev.yaml:3: pools.l4",
        "Pulumi.dev.yaml: costs",
        "Pulumi.dev.yaml: stack",
    ]


def test_aliases_of_aliases_are_placed_without_walking_them_all(read: Read) -> None:
    levels = [f"  house:l{n}: &l{n} [{', '.join(f'*l{n - 1}' for _ in range(9))}]" for n in range(1, 30)]
    text = "\n".join(["config:", "  house:l0: &l0 [x]", *levels])

    assert yamlfiles.lines(text)["config", "house:l29"] == 31


def test_a_file_that_is_not_text_is_refused(project: Throwaway) -> None:
    path = project.root / "Pulumi.dev.yaml"
    path.write_bytes(b"config: \xff\xfe")

    with pytest.raises(ProblemsError, match="byte 8 is not UTF-8"):
        stackfiles.read(path, projects.find(project.root), "dev")


def test_nesting_without_end_is_refused(read: Read) -> None:
    with pytest.raises(ProblemsError):
        read("config: " + "[" * 20_000)


def test_a_file_without_end_is_refused(read: Read) -> None:
    with pytest.raises(ProblemsError, match="more than 1,000,000 bytes"):
        read("# " + "x" * 1_000_001)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ProblemsError):
        yamlfiles.parse(text, "some.yaml")


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_json_is_read_as_what_it_says(content: dict[str, object]) -> None:
    assert yamlfiles.parse(json.dumps(content, ensure_ascii=False), "some.yaml") == content


def test_a_missing_stack_is_answered_with_those_that_there_are(project: Throwaway) -> None:
    found = projects.find(project.root)

    with pytest.raises(ProblemsError) as caught:
        stackfiles.locate(found, "prd")

    assert 'Did you mean "prod"? The stacks here are: dev, prod.' in str(caught.value)


@pytest.mark.parametrize("name", ["../house/Pulumi.dev", "x/y", ""])
def test_a_stacks_name_is_no_path(project: Throwaway, name: str) -> None:
    with pytest.raises(ProblemsError):
        stackfiles.locate(projects.find(project.root), name)


def test_a_project_is_found_from_a_folder_inside(project: Throwaway) -> None:
    inside = project.root / "docs" / "deep"
    inside.mkdir(parents=True)

    assert projects.find(inside).root == project.root.resolve()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("runtime: python\n", "name — missing"),
        ("name: house\nruntime: nodejs\n", "runtime — is 'nodejs'"),
        ("name: house\nruntime: python\nmain: nowhere\n", "no program at nowhere"),
        ("[]\n", "name — missing"),
    ],
)
def test_a_project_that_cannot_be_run_is_refused(project: Throwaway, content: str, expected: str) -> None:
    project.write({"Pulumi.yaml": content})

    with pytest.raises(ProblemsError) as caught:
        projects.find(project.root)

    assert expected in str(caught.value)


def test_the_name_of_a_stack_follows_from_its_file(project: Throwaway) -> None:
    assert stackfiles.stack_of(project.root / "Pulumi.dev.yaml") == "dev"
    assert stackfiles.stack_of(project.root / "tpu-v6e.yaml") == "tpu-v6e"
    assert stackfiles.stack_of(project.root / "Pulumi.a.b.yml") == "a.b"
