"""Time and memory of ``rehearsal preview`` against the bare cost of the same registrations.

Bare is what nothing can avoid: a process that imports the SDK modules which the program uses and registers the same
resources, with the same inputs, through the SDK's own mock monitor. Both run in turn, in processes of their own.

    python benchmarks/preview.py [--stack prod] [--runs 5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOAL = 1.3
"""Times the bare cost."""

_RECORD = """
import json, sys
from pathlib import Path
from rehearsal import digests, previewing, project, stackfiles
found = project.find(Path.cwd())
file = stackfiles.read(stackfiles.locate(found, sys.argv[1]), found, sys.argv[1])
plan = previewing.rehearse(found, file)
modules = sorted(name for name in sys.modules if name.startswith(("pulumi_gcp", "pulumi_kubernetes")))
Path(sys.argv[2]).write_text(json.dumps({"modules": modules, "plan": json.loads(digests.dumps(plan))}))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    seconds: float
    mebibytes: float
    """Peak resident memory."""


def measure(command: Sequence[str]) -> Cost:
    """Run a command and return what it took.

    Raises:
        SystemExit: where it fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 2):
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(seconds, usage.ru_maxrss / scale)


def replay(record: Path) -> None:
    """Import the modules and register the resources of a record: the bare cost."""
    import importlib

    content = json.loads(record.read_text())
    for module in content["modules"]:
        importlib.import_module(module)
    import pulumi
    from pulumi.runtime import mocks

    class Echo(mocks.Mocks):
        def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
            return dict(args.args), None

        def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
            return f"{args.name}-id", dict(args.inputs)

    mocks.set_mocks(Echo(), preview=False)
    made: dict[str, pulumi.Resource] = {}

    def program() -> None:
        for step in content["plan"]["steps"]:
            state = step["newState"]
            if state["type"] == "pulumi:pulumi:Stack":
                continue
            name = state["urn"].rpartition("::")[2]
            parent = made.get(state.get("parent", ""))
            after = [made[urn] for urn in state.get("dependencies", ()) if urn in made]
            options = pulumi.ResourceOptions(parent=parent, depends_on=after)
            inputs = {key: value for key, value in state.get("inputs", {}).items() if not key.startswith("__")}
            kind = pulumi.CustomResource if state["custom"] else pulumi.ComponentResource
            made[state["urn"]] = kind(state["type"], name, inputs, options)

    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call] # the SDK has no types here


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--replay", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.replay:
        replay(arguments.replay)
        return
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        subprocess.run([sys.executable, "-c", _RECORD, arguments.stack, str(record)], cwd=ROOT, check=True)  # noqa: S603
        bare_command = [sys.executable, __file__, "--replay", str(record)]
        full_command = [sys.executable, "-m", "rehearsal", "preview", "--stack", arguments.stack]
        unjudged_command = [*full_command, "--no-policy"]
        bare, full, unjudged = [], [], []
        for _ in range(arguments.runs):
            bare.append(measure(bare_command))
            full.append(measure(full_command))
            unjudged.append(measure(unjudged_command))
        count = len(json.loads(record.read_text())["plan"]["steps"])
    print(f"{arguments.stack}: {count} resources, median of {arguments.runs} runs")
    middle = statistics.median(cost.seconds for cost in bare)
    for label, costs in (("bare registrations", bare), ("preview", full), ("preview, not judged", unjudged)):
        seconds = statistics.median(cost.seconds for cost in costs)
        memory = max(cost.mebibytes for cost in costs)
        print(f"{label:20} {seconds:6.2f} s  {seconds / middle:5.2f} ×  {memory:6.0f} MiB peak")
    ratio = statistics.median(cost.seconds for cost in full) / middle
    print(f"goal: at most {GOAL} × — {'met' if ratio <= GOAL else 'missed'} ({ratio:.2f} ×)")


if __name__ == "__main__":
    main()
