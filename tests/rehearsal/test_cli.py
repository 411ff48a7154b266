"""The command line: exit status, messages, and what each command loads."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rehearsal import cli
from tests.rehearsal.conftest import HEADER, WORLD, Throwaway
from tests.support.stacks import ROOT

PROGRAM = HEADER + WORLD + 'gcp.compute.Network("net", opts=O(provider=cloud))\npulumi.log.info("hello")\n'

STRICT = """
    from pulumi_policy import *

    def check(args, report):
        if args.resource_type == "gcp:compute/network:Network":
            report("The network must not be.")

    PolicyPack("strict", [ResourceValidationPolicy("no-network", "No networks.", check, EnforcementLevel.{level})])
"""


@pytest.fixture
def house(project: Throwaway, monkeypatch: pytest.MonkeyPatch) -> Throwaway:
    """The working directory is a project with one network."""
    project.write({"__main__.py": PROGRAM})
    monkeypatch.chdir(project.root)
    return project


def with_pack(house: Throwaway, level: str) -> str:
    house.write({"pack/PulumiPolicy.yaml": "runtime: python\n", "pack/__main__.py": STRICT.format(level=level)})
    return str(house.root / "pack")


def test_a_clean_preview_ends_with_zero(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preview", "--stack", "dev"]) == 0

    text = capsys.readouterr().out
    assert "gcp:compute:Network" in text
    assert "info: hello" in text
    assert "4 to create" in text
    assert "\x1b" not in text, "no colors where nobody looks on"


def test_a_violated_mandatory_policy_ends_with_two(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preview", "--stack", "dev", "--policy-pack", with_pack(house, "MANDATORY")]) == 2

    text = capsys.readouterr().out
    assert "1 mandatory, 0 advisory" in text
    assert "      The network must not be.\n" in text, "indented, and without blanks to the end of the line"


def test_a_violated_advisory_policy_ends_with_zero(house: Throwaway) -> None:
    assert cli.main(["preview", "--stack", "dev", "--policy-pack", with_pack(house, "ADVISORY")]) == 0


def test_json_is_alone_on_the_standard_output(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    pack = with_pack(house, "MANDATORY")
    assert cli.main(["preview", "--stack", "dev", "--json", "--policy-pack", pack]) == 2

    captured = capsys.readouterr()
    assert json.loads(captured.out)["changeSummary"] == {"create": 4}
    assert "The network must not be." in captured.err


def test_a_plan_is_the_baseline_of_the_next(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["preview", "--stack", "dev", "--json", "--no-policy"])
    (house.root / "plan.json").write_text(capsys.readouterr().out, encoding="utf-8")

    assert cli.main(["preview", "--stack", "dev", "--no-policy", "--baseline", "plan.json"]) == 0
    assert "Nothing changes." in capsys.readouterr().out


def test_another_file_may_configure_the_stack(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    house.write(
        {
            "__main__.py": "import pulumi\npulumi.export('size', pulumi.Config().require_int('size'))\n",
            "examples/big.yaml": "config: {size: 9}\n",
        }
    )

    assert cli.main(["preview", "--config-file", "examples/big.yaml", "--json", "--no-policy"]) == 0
    (stack,) = json.loads(capsys.readouterr().out)["steps"]
    assert stack["urn"].startswith("urn:pulumi:big::")
    assert stack["newState"]["outputs"] == {"size": 9}


WRONG = {
    "an unknown stack": (["preview", "--stack", "prd"], ['Did you mean "prod"?', "dev, prod"]),
    "no stack": (["preview"], ["--stack", "dev, prod"]),
    "a stack file that is not there": (["preview", "--config-file", "none.yaml"], ["no such file"]),
    "a baseline that is not there": (["preview", "--stack", "dev", "--baseline", "none.json"], ["none.json"]),
    "a baseline that is none": (["preview", "--stack", "dev", "--baseline", "Pulumi.yaml"], ["not JSON", "stack export"]),
    "a pack that is not there": (["preview", "--stack", "dev", "--policy-pack", "none"], ["no PulumiPolicy.yaml"]),
    "an unknown option": (["preview", "--stak", "dev"], ["--stak", "--stack"]),
    "an unknown command": (["perform"], ["perform"]),
    "a folder with other files": (["render", "--stack", "dev", "--out", "."], ["holds"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_and_ends_with_one(
    house: Throwaway, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]
) -> None:
    assert cli.main(arguments) == 1

    captured = capsys.readouterr()
    for part in expected:
        assert part in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out


def test_outside_a_project_the_way_in_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.main(["check", "--stack", "dev"]) == 1
    assert "not a Pulumi project" in capsys.readouterr().err


def test_a_failing_program_ends_with_one_and_shows_its_line(
    house: Throwaway, capsys: pytest.CaptureFixture[str]
) -> None:
    house.write({"__main__.py": "import pulumi\n\nraise KeyError('\x1b[31mred')\n"})

    assert cli.main(["preview", "--stack", "dev"]) == 1

    text = capsys.readouterr().err
    assert "__main__.py" in text
    assert "line 3" in text
    assert "\x1b" not in text


def test_refused_settings_end_with_one_and_register_nothing(
    house: Throwaway, capsys: pytest.CaptureFixture[str]
) -> None:
    house.write(
        {
            "__main__.py": textwrap.dedent("""
                from inference.problems import Problem, ProblemsError
                raise ProblemsError("stack dev", [Problem("pools.t4", "what", "why", "remedy")] * 2)
            """)
        }
    )

    assert cli.main(["preview", "--stack", "dev"]) == 1
    assert "2 problems; nothing was created." in capsys.readouterr().err


def test_render_tells_how_much_it_wrote(house: Throwaway, capsys: pytest.CaptureFixture[str]) -> None:
    house.program('kubernetes.core.v1.Namespace("ns", metadata={"name": "n"}, opts=O(provider=objects))')

    assert cli.main(["render", "--stack", "dev", "--out", "out"]) == 0
    assert "1 object written to out" in capsys.readouterr().out
    assert (house.root / "out" / "01-namespace-n.yaml").is_file()


def test_the_module_ends_with_the_status_of_the_command(house: Throwaway) -> None:
    assert house.command("preview", "--stack", "nowhere").returncode == 1
    assert house.command("--help").returncode == 0


@pytest.mark.parametrize("command", ["check", "preview"])
def test_an_encrypted_setting_is_refused_not_written_out(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "sealed.yaml"
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("hostname: llm-dev.example.com", "hostname: { secure: v1:AAAA }"), encoding="utf-8")
    assert cli.main([command, "--config-file", str(file)]) == 1
    assert "gateway — holds an encrypted value" in capsys.readouterr().err


def test_a_model_that_nobody_knows_passes_with_a_note_and_the_nearest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    file = tmp_path / "typo.yaml"
    file.write_text(text.replace("Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instrct"), encoding="utf-8")

    assert cli.main(["check", "--config-file", str(file)]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith("no problem found\n")
    assert 'nothing is known of "Qwen/Qwen2.5-1.5B-Instrct"' in captured.err
    assert 'did you mean "Qwen/Qwen2.5-1.5B-Instruct"?' in captured.err
    assert cli.main(["check", "--stack", "dev"]) == 0
    assert not capsys.readouterr().err


def test_a_wrong_setting_is_told_with_file_and_line_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    lines = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8").replace("gpusPerNode: 8", "gpusPerNode: 4")
    file = tmp_path / "wrong.yaml"
    file.write_text(lines, encoding="utf-8")
    line = next(number for number, text in enumerate(lines.splitlines(), 1) if "gpusPerNode" in text)

    for command in ("check", "preview"):
        assert cli.main([command, "--config-file", str(file)]) == 1
        assert capsys.readouterr().err.startswith(
            f"{file}: 1 problem; nothing was created.\n  {file}:{line}: pools.h200.gpusPerNode — 4\n"
        )


SHAPELESS = """\
config:
  gke-inference:cluster: word
  gke-inference:pools: 7
  gke-inference:models: ~
"""


def test_sections_that_are_no_maps_are_all_told_and_by_every_command_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    file = tmp_path / "shapeless.yaml"
    file.write_text(SHAPELESS, encoding="utf-8")

    said = []
    for command in ("check", "preview"):
        assert cli.main([command, "--config-file", str(file)]) == 1
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    for place in (":2: cluster — 'word' is text", ":3: pools — 7 is a number", ":4: models — empty"):
        assert f"{file}{place}\n" in said[0]


LOADED = """
import sys
from rehearsal.cli import main
status = main(["check", "--stack", "prod"])
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"pulumi", "pulumi_gcp", "pulumi_kubernetes", "pulumi_policy", "grpc", "google", "rich"})
assert not loaded, loaded
sys.exit(status)
"""


def test_check_loads_no_cloud_sdk(project: Throwaway) -> None:
    ended = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603

    assert ended.returncode == 0, ended.stderr
    assert "no problem found" in ended.stdout
