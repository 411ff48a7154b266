"""Runs a Pulumi program in this process, as the language host does, with the rehearsal in the place of the engine."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import itertools
import logging
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.stack import run_in_stack

from inference.problems import Problem, ProblemsError
from rehearsal.errors import EngineError, ProgramError
from rehearsal.monitor import Engine, Monitor
from rehearsal.ondemand import names_on_demand
from rehearsal.plan import Diagnostic, Plan, Step

__all__ = ["run"]

_AMBIENT = ("CLOUDSDK_", "GCLOUD_", "GOOGLE_", "KUBECONFIG", "PULUMI_CONFIG", "PULUMI_K8S_")
"""Environment variables that the SDKs read; a plan must not depend on whose desk it is made at."""

_PACKAGE = Path(__file__).resolve().parent
_NUMBER = "_rehearsal_number"


class _Inline(ThreadPoolExecutor):
    """Answers at once, in the calling thread: the order of registrations is the program's own in every run."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            future.set_exception(error)
        return future


def run(
    program: Path,
    project: str,
    stack: str,
    config: Mapping[str, str],
    *,
    secret_keys: frozenset[str] = frozenset(),
    root: Path | None = None,
    preview: bool = False,
    on_registration: Callable[[int], None] | None = None,
) -> Plan:
    """Run a program and return everything it asked for.

    Args:
        program: the program's file, or the folder of its ``__main__.py``.
        project: name of the project.
        stack: name of the stack.
        config: the configuration by full key, as Pulumi passes it.
        secret_keys: the full keys whose values are secret.
        root: folder of ``Pulumi.yaml`` and working directory; the program's folder where left out.
        preview: answer as a preview of a new stack does, with ids and computed outputs unknown.
        on_registration: called with the number of resources so far.

    Raises:
        ProblemsError: where the program refuses its settings.
        ProgramError: where the program, or a provider's answer to it, fails.
    """
    folder = program if program.is_dir() else program.parent
    monitor = Monitor(project, stack, config, preview=preview)
    if on_registration:
        monitor.on_registration = on_registration
    engine = Engine()
    started = time.monotonic_ns()
    output = io.StringIO()
    with _surroundings(root or folder, folder), _numbered(), contextlib.redirect_stdout(output):
        contextvars.copy_context().run(
            _run, program, project, stack, config, secret_keys, monitor, engine, root, preview
        )
    if said := output.getvalue():
        engine.diagnostics.append(Diagnostic("info", said.rstrip("\n")))
    states = monitor.states((root or folder).resolve())
    return Plan(
        steps=tuple(Step("read" if state.external else "create", state) for state in states),
        config={key: "[secret]" if key in secret_keys else value for key, value in config.items()},
        diagnostics=(*engine.diagnostics, *monitor.remarks()),
        duration=time.monotonic_ns() - started,
    )


def _run(
    program: Path,
    project: str,
    stack: str,
    config: Mapping[str, str],
    secret_keys: frozenset[str],
    monitor: Monitor,
    engine: Engine,
    root: Path | None,
    preview: bool,  # noqa: FBT001 - called through a context, which takes positions
) -> None:
    runtime_config.set_all_config(dict(config), list(secret_keys))
    runtime_settings.ROOT.set(None)
    runtime_settings.configure(
        runtime_settings.Settings(
            project=project,
            stack=stack,
            monitor=monitor,
            engine=engine,
            dry_run=preview,
            organization="organization",
            root_directory=str(root or program),
        )
    )
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Inline(max_workers=1))
    asyncio.set_event_loop(loop)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        loop.run_until_complete(run_in_stack(lambda: _execute(program)))
    except SystemExit as error:
        raise ProgramError(f"the program ended itself with status {error.code or 0}, before it was done") from None
    except Exception as error:  # noqa: BLE001 - whatever a program raises is reported to its author
        raise _explained(error, program) from None
    finally:
        _close(loop)


@contextlib.contextmanager
def _numbered() -> Iterator[None]:
    """Hash resources by the order of their making.

    The SDK waits for sets of them. Hashed by their addresses, as Python does it, these have another order in every run,
    and so would the registrations.
    """
    count, before = itertools.count(), pulumi.Resource.__hash__

    def number(self: pulumi.Resource) -> int:
        found: int | None = self.__dict__.get(_NUMBER)
        if found is None:
            found = self.__dict__[_NUMBER] = next(count)
        return found

    pulumi.Resource.__hash__ = number  # type: ignore[method-assign, assignment] # of resources, not of all objects
    try:
        yield
    finally:
        pulumi.Resource.__hash__ = before  # type: ignore[method-assign]


def _execute(program: Path) -> None:
    with names_on_demand():
        runpy.run_path(str(program), run_name="__main__")


def _close(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    asyncio.set_event_loop(None)
    loop.close()


def _explained(error: BaseException, program: Path) -> Exception:
    """Return the error that the author of the program should read."""
    known = _known(error)
    if isinstance(known, ProblemsError):
        return known
    if known is not None and _is_problems(known):
        problems = (Problem(each.where, each.what, each.why, each.remedy) for each in vars(known)["problems"])
        return ProblemsError(vars(known)["source"], problems)
    if known is not None:
        return ProgramError(str(known))
    return ProgramError(f"the program failed:\n{_trace(error, program if program.is_dir() else program.parent)}")


def _trace(error: BaseException, folder: Path) -> str:
    """Return the traceback from the program's first line on; only the message where it is all the SDK's own."""
    frames = traceback.extract_tb(error.__traceback__)
    files = [Path(frame.filename) for frame in frames]
    inside = [file.is_relative_to(folder) and not file.is_relative_to(_PACKAGE) for file in files]
    ours = any(file.is_relative_to(_PACKAGE) and file.name != Path(__file__).name for file in files)
    if not any(inside) and not ours:
        return "".join(traceback.format_exception_only(error)).rstrip()
    listed = traceback.format_list(frames[inside.index(True) if any(inside) else 0 :])
    lines = ["Traceback (most recent call last):\n", *listed, *traceback.format_exception_only(error)]
    return "".join(lines).rstrip()


def _known(error: BaseException | None) -> BaseException | None:
    """Return the first error in a chain that needs no traceback."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ProblemsError | EngineError | pulumi.RunError) or _is_problems(error):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _is_problems(error: BaseException) -> bool:
    """Whether this is the error of another revision of the house, loaded from its own folder."""
    kind = type(error)
    return (kind.__module__, kind.__name__) == (ProblemsError.__module__, ProblemsError.__name__)


@contextlib.contextmanager
def _surroundings(root: Path, folder: Path) -> Iterator[None]:
    """Give a program its working directory, import path and environment, and take all of it back."""
    path, here, arguments = list(sys.path), Path.cwd(), list(sys.argv)
    environment = {key: value for key, value in os.environ.items() if key.startswith(_AMBIENT)}
    interrupt = signal.getsignal(signal.SIGINT)
    foreign = folder.resolve() != _PACKAGE.parent
    shadowed = _shadowed(folder.resolve()) if foreign else {}
    for name in shadowed:
        del sys.modules[name]
    before = set(sys.modules)
    for key in environment:
        del os.environ[key]
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    sys.argv = [str(folder)]
    os.chdir(root)
    try:
        yield
    finally:
        if interrupt is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)
        os.chdir(here)
        sys.path[:] = path
        sys.argv = arguments
        os.environ.update(environment)
        if foreign:
            _forget(before, folder.resolve())
        sys.modules.update(shadowed)


def _shadowed(folder: Path) -> dict[str, ModuleType]:
    """Return the loaded modules in whose place a program has its own of the same name."""
    own = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    own -= {"__main__", _PACKAGE.name}
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in own}


def _forget(before: set[str], folder: Path) -> None:
    """Drop the modules of a program, so that the next one may have some of the same names."""
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).resolve().is_relative_to(folder):
            del sys.modules[name]
