"""Loads of the cloud SDK what a program asks for.

``pulumi_gcp.compute`` imports six hundred modules with the first name that is taken from it, and a program takes a
dozen. While a program is rehearsed, a service's package imports the module of a name when the name is asked for; a name
whose module cannot be told by the SDK's own naming loads the whole package, as it would anyway.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["names_on_demand"]

_PACKAGE = re.compile(r"pulumi_gcp\.[a-z]+")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_INPUTS = "_inputs"


@contextlib.contextmanager
def names_on_demand() -> Iterator[None]:
    """Let the packages of the cloud SDK that are imported meanwhile load their names one by one."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _PACKAGE.fullmatch(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations:
            spec.loader = _OnDemand(spec.loader)
        return spec


class _OnDemand(Loader):
    """Leaves a package empty but for the way to its names."""

    def __init__(self, whole: Loader) -> None:
        self._whole = whole

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._whole.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        folder = Path(next(iter(module.__path__)))

        def find(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            for candidate in _modules_of(name):
                if (folder / f"{candidate}.py").is_file():
                    part = importlib.import_module(f"{module.__name__}.{candidate}")
                    if candidate == name and not hasattr(part, name):
                        return part
                    module.__dict__.update((each, getattr(part, each)) for each in getattr(part, "__all__", ()))
                    if name in module.__dict__:
                        return module.__dict__[name]
            module.__dict__.pop("__getattr__", None)
            self._whole.exec_module(module)
            return getattr(module, name)

        module.__dict__["__getattr__"] = find


def _modules_of(name: str) -> Iterator[str]:
    """Yield the modules that may define a name, by the naming of the SDK: the one that is exported last goes first."""
    if name.endswith(("Args", "ArgsDict")):
        yield _INPUTS
    snake = _WORD.sub("_", name.removesuffix("ArgsDict").removesuffix("Args")).lower()
    yield snake
    yield snake.removesuffix("_output")
