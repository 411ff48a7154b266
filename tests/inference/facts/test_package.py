"""What holds for the whole package: where facts come from, and what it costs to import them."""

import ast
import dataclasses
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from inference.facts import endpoint_picker, fabrics, gke, gpus, machines, models, nim, tpus, versions, vllm
from inference.facts.sources import SOURCES, keys, where
from tests.support.stacks import ROOT

PACKAGE = Path(gpus.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))

RECORDS: list[Any] = [
    *gpus.GPUS.values(),
    *fabrics.FABRICS.values(),
    *machines.MACHINES.values(),
    *machines.ATTACHABLE.values(),
    *(found for name in ("n1-standard-4", "c4-standard-8", "e2-medium") if (found := machines.machine(name))),
    *tpus.GENERATIONS.values(),
    *versions.COMPONENTS.values(),
    *versions.MATCHES,
    *versions.GKE_MINIMUM.values(),
    *gke.GATEWAY_CLASSES.values(),
    *gke.GKE_TAINTS,
    vllm.RUNTIME,
    *endpoint_picker.PLUGINS.values(),
    *models.MODELS.values(),
    *nim.RELEASES.values(),
]


def test_every_source_of_a_record_resolves() -> None:
    unknown = {(type(r).__name__, key) for r in RECORDS for key in keys(r.source) if key not in SOURCES}

    assert not unknown


def sourced_docstrings() -> Iterator[tuple[str, str]]:
    for path in MODULES:
        for cited in re.findall(r"[( ][Ss]ources? ([A-Z][^).\"]*)", path.read_text()):
            for key in re.findall(r"\b[A-Z][A-Z0-9_]+[A-Z0-9]\b", re.sub(r":\S+", "", cited)):
                yield path.name, key


def test_every_source_that_a_docstring_cites_resolves() -> None:
    cited = list(sourced_docstrings())

    assert len(cited) > 50, "the pattern no longer finds the citations"
    assert [pair for pair in cited if pair[1] not in SOURCES] == []


def test_every_source_is_cited_by_a_fact_or_ready_for_one_of_the_readers_own() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".toml"} and path.name != "sources.toml"]
    text = "\n".join(path.read_text() for path in [*files, ROOT / "docs" / "extending.md"])

    assert [key for key in SOURCES if not re.search(rf"\b{key}\b", text)] == []


def test_records_are_frozen_and_without_a_dict() -> None:
    for record in RECORDS:
        assert not hasattr(record, "__dict__"), type(record)
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.source = "elsewhere"


@pytest.mark.parametrize(
    "table",
    [
        SOURCES,
        gpus.GPUS,
        fabrics.FABRICS,
        machines.MACHINES,
        machines.ATTACHABLE,
        tpus.GENERATIONS,
        versions.COMPONENTS,
        versions.GKE_MINIMUM,
        gke.GATEWAY_CLASSES,
        endpoint_picker.PLUGINS,
        models.MODELS,
        nim.RELEASES,
    ],
)
def test_tables_cannot_be_written(table: Mapping[str, object]) -> None:
    with pytest.raises(TypeError):
        table["new"] = None  # type: ignore[index]


def test_a_source_names_a_public_place_and_its_date() -> None:
    for source in SOURCES.values():
        assert re.search(r"https://|github\.com/|\w\.google\.com/|^PyPI |^public ", source.what), source.key
        assert re.fullmatch(r"undated|(mid-)?20\d\d.*", source.date), source.key


def test_where_gives_one_address_a_key() -> None:
    assert keys("CT:examples/gke-a4; GPUDOC") == ("CT", "GPUDOC")
    assert where("CT:examples/gke-a4; GPUDOC").count("; ") == 1
    with pytest.raises(KeyError):
        where("NOWHERE")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_facts_import_the_standard_library_and_each_other_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.startswith("inference.facts") or name.partition(".")[0] in sys.stdlib_module_names, name


def test_no_file_of_the_package_is_longer_than_a_reader_has_patience_for() -> None:
    long = {
        path.name: count
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".toml", ".txt"} and (count := len(path.read_text().splitlines())) > 400
    }

    assert not long


def test_no_file_of_the_package_names_a_path_of_one_machine() -> None:
    for path in PACKAGE.rglob("*.*"):
        if path.suffix in {".py", ".toml", ".txt"}:
            assert not re.search(r"/root/|/tmp/|/Users/", path.read_text()), path.name
