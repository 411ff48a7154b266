"""Tests on Pulumi's own CLI: where there is one, and when they are asked for."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from rehearsal.enginerun import INSTALL

MISSING = f"there is no pulumi on PATH; {INSTALL} says how to get it"
UNASKED = "they take minutes; `pytest -m engine` runs them"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one test of each module, skipped with the reason and the number of all."""
    asked = "engine" in str(config.getoption("-m"))
    reason = MISSING if shutil.which("pulumi") is None else None if asked else UNASKED
    if reason is None:
        return
    modules: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("engine"):
            modules[item.path].append(item)
    for first, *others in modules.values():
        count = f"{len(others) + 1} tests" if others else "1 test"
        first.add_marker(pytest.mark.skip(reason=f"{count} on the real engine: {reason}"))
        items[:] = [item for item in items if item not in others]
