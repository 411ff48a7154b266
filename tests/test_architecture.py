"""The house keeps its rules: who may import whom, what a component looks like, how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

CHAIN = (
    "inference.settings",
    "inference.facts",
    "inference.checks",
    "inference.rules",
    "inference.blueprint",
    "inference.manifests",
    "components",
)
"""Left to right: a package imports those to its left only."""

ENGINE = ("pulumi", "pulumi_gcp", "pulumi_kubernetes", "pulumi_policy", "grpc")
PACKAGES = ("inference", "components", "policies", "rehearsal")


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("path", list(sources("inference")), ids=module)
def test_the_domain_knows_no_engine(path: Path) -> None:
    assert not [name for name in imports(path) if name.partition(".")[0] in ENGINE]


@pytest.mark.parametrize("path", list(sources("inference", "components")), ids=module)
def test_a_package_imports_only_what_stands_to_its_left(path: Path) -> None:
    position = next((i for i, package in enumerate(CHAIN) if within(module(path), package)), None)
    if position is None:
        return
    later = [name for name in imports(path) for package in CHAIN[position + 1 :] if within(name, package)]
    assert not later


@pytest.mark.parametrize("path", list(sources("policies")), ids=module)
def test_policies_know_rules_and_facts_and_neither_components_nor_settings(path: Path) -> None:
    forbidden = ("components", "rehearsal", "inference.settings", "inference.manifests", "inference.blueprint")
    assert not [name for name in imports(path) if any(within(name, package) for package in forbidden)]


@pytest.mark.parametrize("path", [*sources("inference", "components", "policies"), ROOT / "__main__.py"], ids=module)
def test_nobody_imports_the_rehearsal(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "rehearsal")]


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
