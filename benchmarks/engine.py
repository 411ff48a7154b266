"""Time of ``rehearsal preview`` against the real engine's preview of the same stack, with the same model of the cloud.

Both do the same work: run the program, complete the inputs, and ask the project's policy pack, or not. They run in
turn, the CLI with provider plugins made of the rehearsal's own model. The best run of each counts: whatever else the
machine does only adds. Needs ``pulumi`` on PATH.

    python benchmarks/engine.py [--stack prod] [--runs 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rehearsal import project, stackfiles  # noqa: E402 - the project is found beside this folder
from rehearsal.enginerun import Home  # noqa: E402

GOAL = 0.5
"""Times the engine's preview."""


def rehearse(stack: str, *arguments: str) -> None:
    """Rehearse a preview.

    Raises:
        SystemExit: where it fails.
    """
    command = [sys.executable, "-m", "rehearsal", "preview", "--stack", stack, *arguments]
    status = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603 - ours
    if status not in (0, 2):
        raise SystemExit(f"the rehearsal ended with status {status}")


def preview(home: Home, stack: str, *arguments: str) -> None:
    """Preview on the engine.

    Raises:
        SystemExit: where it fails.
    """
    command = ["preview", "--stack", stack, "--non-interactive", *arguments]
    if status := home.run(command, output=subprocess.DEVNULL):
        raise SystemExit(f"the engine ended with status {status}")


def seconds(call: Callable[[], None]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="prod")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    stack = arguments.stack
    found = project.find(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), found)
        home.prepare(stack, stackfiles.locate(found, stack))
        pairs: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "not judged": (lambda: rehearse(stack, "--no-policy"), lambda: preview(home, stack)),
            "judged": (lambda: rehearse(stack), lambda: preview(home, stack, "--policy-pack", "policies")),
        }
        taken: dict[str, list[tuple[float, float]]] = {label: [] for label in pairs}
        for _ in range(arguments.runs):
            for label, (ours, theirs) in pairs.items():
                taken[label].append((seconds(ours), seconds(theirs)))
    print(f"{stack}: preview of a new stack, best of {arguments.runs} runs")
    for label, times in taken.items():
        ours, theirs = (min(side) for side in zip(*times, strict=True))
        verdict = "met" if ours <= GOAL * theirs else "missed"
        print(
            f"{label:10}  rehearsal {ours:5.2f} s  engine {theirs:5.2f} s  ratio {ours / theirs:4.2f}  goal {verdict}"
        )


if __name__ == "__main__":
    main()
