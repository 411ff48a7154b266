"""The command line. Each command loads what it needs when it runs: ``check`` loads no cloud SDK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from inference.problems import Problem, ProblemsError
from rehearsal import project as projects
from rehearsal import stackfiles
from rehearsal.errors import ProgramError
from rehearsal.texts import plain

__all__ = ["Status", "app", "main"]

app = typer.Typer(
    help="Run the program on paper: no cloud, no credentials, no CLI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Status(IntEnum):
    """Exit status."""

    CLEAN = 0
    WRONG = 1
    """The program, its settings or the command line are wrong."""
    VIOLATED = 2
    """A mandatory policy is violated, or the live project lacks something."""
    RISKY = 3
    """The reviewed change endangers something, or a preflight could not ask everything."""


Stack = Annotated[str | None, typer.Option("--stack", "-s", help="Name of the stack: reads Pulumi.<stack>.yaml.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config-file", help="Stack file to use instead, for example one of examples/.")
]


@app.command()
def preview(
    *,
    stack: Stack = None,
    config_file: ConfigFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print the digest of `pulumi preview --json`.")] = False,
    policy_pack: Annotated[
        list[Path] | None,
        typer.Option("--policy-pack", help="Folder of a policy pack to judge with, instead of the project's own."),
    ] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Do not judge.")] = False,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Earlier plan, preview digest or exported state to compare with."),
    ] = None,
) -> None:
    """Work out the whole stack, judge it, and print the tree of resources."""
    from rehearsal import previewing

    with _reported():
        project, file = _stack(stack, config_file)
        packs = None if no_policy else policy_pack or []
        status = previewing.preview(project, file, packs=packs, baseline=baseline, as_json=json)
    raise typer.Exit(status)


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; made where it is not there.")],
    stack: Stack = None,
    config_file: ConfigFile = None,
) -> None:
    """Write every Kubernetes object of the stack as one YAML file, secrets masked."""
    from rehearsal import previewing

    with _reported():
        project, file = _stack(stack, config_file)
        previewing.render(project, file, out)


@app.command()
def check(stack: Stack = None, config_file: ConfigFile = None) -> None:
    """Check the stack file alone: fast enough for an editor."""
    from inference.checks.models import unjudged
    from inference.stackfile import load

    with _reported():
        project, file = _stack(stack, config_file)
        with file.placed():
            settings = load(file.sections, file.source, file.encrypted, folder=project.root)
        for note in (*file.notes, *unjudged(settings)):
            typer.echo(plain(f"{file.source}: note: {note}"), err=True)
        typer.echo(f"{file.source}: no problem found")


@app.command()
def judge(
    files: Annotated[list[Path], typer.Argument(help="Manifests, previews, exported states, or folders of them.")],
    *,
    output: Annotated[str, typer.Option("--format", help="text, json or sarif.")] = "text",
    policy_config: Annotated[
        Path | None, typer.Option("--policy-config", help="Levels and parameters of the policies.")
    ] = None,
) -> None:
    """Judge Kubernetes YAML, a `pulumi preview --json` digest or a `pulumi stack export`."""
    from rehearsal import judgment

    with _reported():
        if output not in judgment.FORMATS:
            choices = ", ".join(judgment.FORMATS)
            problem = Problem("--format", f'"{output}"', "there is no such form", f"Use one of {choices}.")
            raise ProblemsError("command line", [problem])
        text, violated = judgment.judge(files, output=output, policy_config=policy_config)
        typer.echo(text)
    raise typer.Exit(Status.VIOLATED if violated else Status.CLEAN)


@app.command()
def review(
    *,
    against: Annotated[
        str | None, typer.Option("--against", help="Revision to compare with; origin/main where nothing is named.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="Earlier plan, preview digest or exported state to compare with instead."),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", help="Report on what `pulumi preview --json --show-sames` wrote; runs nothing."),
    ] = None,
    stack: Annotated[
        list[str] | None, typer.Option("--stack", "-s", help="Stack to review; all that change where none is named.")
    ] = None,
    config_file: Annotated[
        list[Path] | None, typer.Option("--config-file", help="Stack file to review, for example one of examples/.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="markdown, json or html.")] = "markdown",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the report.")] = None,
) -> None:
    """Say what a change would do, cost and risk: for the reviewer of a pull request."""
    from rehearsal.review import reviewing

    with _reported():
        if output not in reviewing.FORMATS:
            choices = ", ".join(reviewing.FORMATS)
            problem = Problem("--format", f'"{output}"', "there is no such form", f"Use one of {choices}.")
            raise ProblemsError("command line", [problem])
        report, status = reviewing.review(
            projects.find(Path.cwd()),
            against=against,
            baseline=baseline,
            preview=preview,
            stacks=stack or [],
            config_files=config_file or [],
        )
        reviewing.write(reviewing.FORMATS[output](report), out)
    raise typer.Exit(status)


@app.command()
def preflight(
    *,
    stack: Stack = None,
    config_file: ConfigFile = None,
    preview: Annotated[
        Path | None, typer.Option("--preview", help="Plan or `pulumi preview --json --show-sames` to compare instead.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", help="State of what stands already: what it uses of quotas is the stack's own."),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Compare what the stack needs with the live project: quotas, reservations, machines, APIs, permissions."""
    from rehearsal.preflight import running, writing

    with _reported():
        if output not in writing.FORMATS:
            choices = ", ".join(writing.FORMATS)
            problem = Problem("--format", f'"{output}"', "there is no such form", f"Use one of {choices}.")
            raise ProblemsError("command line", [problem])
        if preview is not None:
            found = running.run_plan(preview, baseline=baseline)
        else:
            found = running.run(*_stack(stack, config_file), baseline=baseline)
        typer.echo(writing.write(found, output))
    raise typer.Exit(running.status(found))


@app.command()
def engine(
    arguments: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND", help="What to hand to pulumi: -- up --stack dev.")
    ],
    home: Annotated[
        Path | None, typer.Option("--home", help="Folder of state and stand-in cloud; made where it is not there.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder for the next command.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Run the real pulumi CLI on a copy of the project, against a stand-in for the cloud."""
    from rehearsal import enginerun

    with _reported():
        status = enginerun.run(projects.find(Path.cwd()), arguments, home, keep=keep)
    raise typer.Exit(status)


def _stack(stack: str | None, config_file: Path | None) -> tuple[projects.Project, stackfiles.StackFile]:
    """Return the project of the working directory and the configuration that was asked for."""
    project = projects.find(Path.cwd())
    if config_file is None:
        if stack is None:
            names = sorted(stackfiles.stack_of(path) for path in project.root.glob("Pulumi.*.yaml"))
            remedy = f"Write --stack <name>; the stacks here are: {', '.join(names) or 'none yet'}."
            raise ProblemsError("command line", [Problem("--stack", "missing", "there may be several stacks", remedy)])
        return project, stackfiles.read(stackfiles.locate(project, stack), project, stack)
    if not config_file.is_file():
        shown = str(config_file)
        remedy = "Check the path; the scenarios are in examples/."
        raise ProblemsError(shown, [Problem(f"--config-file {shown}", "no such file", "nothing to read", remedy)])
    return project, stackfiles.read(config_file, project, stack or stackfiles.stack_of(config_file), str(config_file))


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """Print what is wrong in words, and end with the status that says so."""
    try:
        yield
    except ProblemsError as error:
        _fail(str(error))
    except ProgramError as error:
        _fail(f"error: {error}")


def _fail(message: str) -> None:
    typer.echo(plain(message), err=True)
    raise typer.Exit(Status.WRONG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    try:
        status = app(arguments, prog_name="python -m rehearsal", standalone_mode=False)
    except typer.TyperException as error:
        show = getattr(error, "show", None)
        if show:
            show()
        else:
            typer.echo(str(error), err=True)
        return Status.WRONG
    return int(status or Status.CLEAN)
