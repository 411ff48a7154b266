"""Foreign policy packs, run as the CLI runs them: a process of their own that answers over gRPC."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2, json_format
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from inference.problems import Problem, ProblemsError
from rehearsal import yamlfiles
from rehearsal.plan import Plan
from rehearsal.verdict import Verdict, configuration, judge

__all__ = ["judge_with"]

_FILE = "PulumiPolicy.yaml"
_START = 60.0
"""Seconds until a pack must have told its port; importing a large one takes a few."""
_STOP = 5.0
"""Seconds between the polite and the final end of a pack."""
_LAST_WORDS = 1.0
"""Seconds between the end of a pack's output and its own."""
_MESSAGE = 400 * 1024 * 1024
"""Bytes of one message, as the policy SDK sets it."""


def judge_with(folder: Path, plan: Plan, project: str, stack: str) -> Verdict:
    """Ask the policy pack in a folder about a plan.

    Raises:
        ProblemsError: where there is no pack, or it does not start or breaks down.
    """
    command = _command(folder)
    with _running(command, folder, _environment(plan, project, stack)) as (analyzer, failed):
        try:
            _tell(analyzer, plan)
            _configure(analyzer)
            return judge(plan, analyzer, folder.resolve().name)
        except grpc.RpcError as error:
            what = getattr(error, "details", lambda: None)() or str(error)
            raise failed(f"broke down: {what}") from None


def _command(folder: Path) -> list[str]:
    shown = f"--policy-pack {folder}"
    file = folder / _FILE
    if not file.is_file():
        why = f"a policy pack has a {_FILE}"
        raise ProblemsError(shown, [Problem(shown, f"no {_FILE} there", why, "Name the folder of a policy pack.")])
    content = yamlfiles.load(file, str(file))
    runtime = content.get("runtime") if isinstance(content, dict) else None
    options: Mapping[str, Any] = {}
    if isinstance(runtime, dict):
        options = runtime["options"] if isinstance(runtime.get("options"), dict) else {}
        runtime = runtime.get("name")
    if runtime != "python":
        why = "the rehearsal runs packs in Python; those in other languages need Pulumi's CLI"
        remedy = f"Use `pulumi preview --policy-pack {folder}`."
        raise ProblemsError(shown, [Problem(shown, f"its runtime is {runtime!r}", why, remedy)])
    python = sys.executable
    if environment := options.get("virtualenv"):
        own = (folder / str(environment) / "bin" / "python").absolute()
        # The CLI would make a missing environment; what judges here is offline and has all that our own packs need.
        python = str(own) if own.exists() else python
    return [python, "-u", "."]


def _environment(plan: Plan, project: str, stack: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "PULUMI_PROJECT": project,
        "PULUMI_STACK": stack,
        "PULUMI_ORGANIZATION": "organization",
        "PULUMI_DRY_RUN": "true",
        "PULUMI_CONFIG": json.dumps(dict(plan.config)),
    }


@contextlib.contextmanager
def _running(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Any, Any]]:
    """Run a pack for the length of a block; yields its stub and a function that explains a failure."""
    with tempfile.TemporaryFile() as errors:

        def failed(what: str) -> ProblemsError:
            errors.seek(0)
            said = errors.read()[-4000:].decode(errors="replace").strip()
            why = f"it wrote:\n{said}" if said else "it wrote nothing that explains it"
            shown = f"policy pack {folder}"
            return ProblemsError(shown, [Problem(shown, what, why, "Mend the pack, or judge without it.")])

        try:
            process = subprocess.Popen(  # noqa: S603 - running the named pack is what was asked for
                command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=errors, text=True
            )
        except OSError as error:
            raise failed(f"cannot be started: {error.strerror} ({command[0]})") from None
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            port = _port(process.stdout)
            if port is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LAST_WORDS)
                code = process.returncode
                raise failed(f"ended with status {code}" if code is not None else "told no port in its first line")
            options = [("grpc.max_receive_message_length", _MESSAGE), ("grpc.max_send_message_length", _MESSAGE)]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel), failed
        finally:
            _end(process)


def _port(output: IO[str]) -> int | None:
    """Return the number in the pack's first line; ``None`` where none comes in time."""
    lines: list[str] = []
    told = threading.Event()

    def read() -> None:
        lines.append(output.readline().strip())
        told.set()
        for _ in output:
            pass

    threading.Thread(target=read, daemon=True).start()
    told.wait(_START)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(analyzer: Any, plan: Plan) -> None:
    """Tell the pack the stack's configuration; packs of an older SDK have it from the environment only."""
    try:
        analyzer.ConfigureStack(configuration(plan))
    except grpc.RpcError as error:
        if getattr(error, "code", lambda: None)() is not grpc.StatusCode.UNIMPLEMENTED:
            raise


def _configure(analyzer: Any) -> None:
    """Tell the pack the levels and defaults it declares, as the engine does before it asks."""
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    if not info.supportsConfig:
        return
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for policy in info.policies:
        entry = request.policyConfig[policy.name]
        initial = info.initialConfig.get(policy.name)
        entry.enforcementLevel = initial.enforcementLevel if initial else policy.enforcementLevel
        declared = json_format.MessageToDict(policy.configSchema.properties)
        properties = {
            name: schema["default"]
            for name, schema in declared.items()
            if isinstance(schema, dict) and "default" in schema
        }
        if initial:
            properties |= json_format.MessageToDict(initial.properties)
        struct = Struct()
        struct.update(properties)
        entry.properties.CopyFrom(struct)
    analyzer.Configure(request)
