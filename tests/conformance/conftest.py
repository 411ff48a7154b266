"""Tests on a real API server: where there is one, and when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.apiserver import ApiServer, running, unavailable
from tests.support.trial import prepared

UNASKED = "`pytest -m cluster` runs them"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = "cluster" in str(config.getoption("-m"))
    reason = unavailable() or ("" if asked else UNASKED)
    for item in items:
        if reason and item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.skip(reason=f"tests on an API server: {reason}"))


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    """Lend an API server with every definition and namespace that the stacks need."""
    with running() as found, prepared(found):
        yield found
