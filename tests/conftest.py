"""What every test may use: files that code generates, compared or rewritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="rewrite generated files instead of comparing them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare a generated text with a file, or rewrite the file where ``--update-goldens`` is given."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        assert present == text, f"{path} is stale; review the difference and run pytest --update-goldens"

    return compare
