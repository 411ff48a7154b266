"""Tests on Pulumi's own CLI: where there is one, and when they are asked for."""

from __future__ import annotations

import shutil

import pytest

from rehearsal.enginerun import INSTALL

MISSING = f"there is no pulumi on PATH; {INSTALL} says how to get it"
UNASKED = "they take minutes; `pytest -m engine` runs them"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "engine" in str(config.getoption("-m"))
    reason = MISSING if shutil.which("pulumi") is None else None if asked else UNASKED
    for item in items:
        if reason and item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.skip(reason=f"tests on the real engine: {reason}"))
