"""The house keeps its rules: who may import whom, what a component looks like, how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

ENGINE = ("pulumi", "pulumi_gcp", "pulumi_kubernetes", "pulumi_policy", "grpc")
PACKAGES = ("inference", "components", "policies", "rehearsal")

FIGURES = ("inference.addressing", "inference.alternatives", "inference.fit", "inference.startup")
"""Arithmetic on facts."""

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "inference.settings": (),
    "inference.facts": (),
    "inference.problems": (),
    "inference.naming": (),
    "inference.addressing": (),
    "inference.fit": ("inference.facts",),
    "inference.startup": ("inference.facts",),
    "inference.alternatives": ("inference.facts", "inference.fit"),
    "inference.config_json": ("inference.settings", "inference.facts", "inference.problems"),
    "inference.derivation": ("inference.settings", "inference.facts", "inference.fit"),
    "inference.checks": (
        "inference.settings",
        "inference.facts",
        "inference.problems",
        "inference.config_json",
        "inference.derivation",
        *FIGURES,
    ),
    "inference.malformed": ("inference.settings", "inference.problems"),
    "inference.stackfile": (
        "inference.settings",
        "inference.problems",
        "inference.config_json",
        "inference.checks",
        "inference.malformed",
    ),
    "inference.rules.views": ("inference.facts",),
    "inference.estimates": ("inference.facts", "inference.config_json", "inference.rules.views", *FIGURES),
    "inference.rules": ("inference.facts", "inference.rules.views", "inference.estimates", *FIGURES),
    "inference.blueprint": (
        "inference.settings",
        "inference.facts",
        "inference.config_json",
        "inference.derivation",
        "inference.naming",
        *FIGURES,
    ),
    "inference.manifests": ("inference.settings", "inference.facts", "inference.blueprint", "inference.startup"),
    "components": (
        "inference.settings",
        "inference.facts",
        "inference.blueprint",
        "inference.manifests",
        "inference.naming",
        "inference.addressing",
    ),
    "__main__": ("inference.settings", "inference.stackfile", "inference.blueprint", "components"),
    "policies": ("inference.facts", "inference.problems", "inference.rules"),
    "rehearsal.cloud": ("inference.facts", "rehearsal.urns", "rehearsal.values"),
    "rehearsal.providers": (
        "inference.facts",
        "rehearsal.cloud",
        "rehearsal.diffs",
        "rehearsal.replacement",
        "rehearsal.urns",
        "rehearsal.values",
        "rehearsal.wire",
    ),
    "rehearsal.picture": ("inference.facts", "inference.rules.views", "rehearsal.naming", "rehearsal.texts"),
    "rehearsal.review.risks": (
        "inference.settings",
        "inference.facts",
        "inference.estimates",
        "inference.rules.views",
        "rehearsal.diffs",
        "rehearsal.naming",
        "rehearsal.texts",
        "rehearsal.urns",
        "rehearsal.review.change",
    ),
    "rehearsal.review.sections": (
        "inference.facts",
        "inference.estimates",
        "inference.rules.views",
        "rehearsal.costs",
        "rehearsal.diffs",
        "rehearsal.picture",
        "rehearsal.plan",
        "rehearsal.preflight.repairs",
        "rehearsal.texts",
        "rehearsal.urns",
        "rehearsal.verdict",
        "rehearsal.review.change",
        "rehearsal.review.document",
        "rehearsal.review.lists",
        "rehearsal.review.risks",
        "rehearsal.review.values",
    ),
    "rehearsal": ("inference", "policies", "rehearsal"),
}
"""What each room may import besides itself. A file belongs to the longest name that it lies in.

Sections of a review neither run programs nor escape what they say: the revisions come to them, and writers are others.
"""


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


PROGRAM = [*sources(*PACKAGES), ROOT / "__main__.py"]
MODULES = frozenset(module(path) for path in PROGRAM)


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, also those imported only when a function runs."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in named.values()}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def room(name: str) -> str:
    return max((known for known in MAY_IMPORT if within(name, known)), key=len)


@pytest.mark.parametrize("path", list(sources("inference")), ids=module)
def test_the_domain_knows_no_engine(path: Path) -> None:
    assert not [name for name in imports(path) if name.partition(".")[0] in ENGINE]


@pytest.mark.parametrize("path", [path for path in PROGRAM if module(path) != "inference"], ids=module)
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    here = room(module(path))
    allowed = MAY_IMPORT[here]
    ours = {name for name in imports(path) if name in MODULES}
    assert not {name for name in ours if room(name) != here and not any(within(name, other) for other in allowed)}


def test_no_import_leads_back_to_its_own_file() -> None:
    TopologicalSorter({module(path): imports(path) & MODULES for path in PROGRAM}).prepare()


@pytest.mark.parametrize("path", [*sources(*PACKAGES, "tests", "benchmarks"), ROOT / "__main__.py"], ids=module)
def test_no_file_is_longer_than_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_program_stays_under_a_hundred_lines() -> None:
    assert len((ROOT / "__main__.py").read_text(encoding="utf-8").splitlines()) < 100


COMPONENTS = [path for path in sources("components") if not path.name.startswith("_")]


@pytest.mark.parametrize("path", COMPONENTS, ids=module)
def test_a_component_file_holds_one_component_that_it_is_named_after(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [
        n
        for n in tree.body
        if isinstance(n, ast.ClassDef) and any("ComponentResource" in ast.unparse(b) for b in n.bases)
    ]
    (component,) = classes
    assert re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", component.name).lower() == path.stem
    (init,) = [n for n in component.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    assert ast.unparse(init.body[-1]).startswith("self.register_outputs(")


def test_component_tokens_are_unique_and_of_one_form() -> None:
    tokens = [re.search(r'^TOKEN = "([^"]+)"', path.read_text(encoding="utf-8"), re.M) for path in COMPONENTS]
    found = [token.group(1) for token in tokens if token]
    assert len(found) == len(COMPONENTS) == len(set(found))
    assert all(re.fullmatch(r"gke-inference:index:[A-Z][A-Za-z]+", token) for token in found)


def test_nothing_is_merged_into_the_options_of_a_child() -> None:
    assert not [path for path in sources("components") if "ResourceOptions.merge" in path.read_text(encoding="utf-8")]


def test_every_test_file_is_one_that_pytest_collects() -> None:
    helpers = {"conftest", "__init__"}
    stray = [
        path
        for path in sources("tests")
        if not path.name.startswith("test_")
        and path.stem not in helpers
        and "def test_" in path.read_text(encoding="utf-8")
    ]
    assert not stray
