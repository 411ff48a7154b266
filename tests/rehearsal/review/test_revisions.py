"""Where the older revision comes from: its own code, and never at the cost of the checkout."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from inference.problems import ProblemsError
from rehearsal import digests
from rehearsal.review.repository import Repository
from tests.rehearsal.review.conftest import Clone

PROGRAM = """
    import pulumi
    import pulumi_gcp as gcp
    from shapes import names
    cloud = gcp.Provider("cloud", project="my-project", region="us-central1")
    for name in names:
        gcp.storage.Bucket(name, location="US", opts=pulumi.ResourceOptions(provider=cloud))
"""


def house(*names: str, **more: str) -> dict[str, str]:
    """Return the files of a project with these buckets."""
    return {
        "Pulumi.yaml": "name: house\nruntime: python\n",
        "Pulumi.dev.yaml": "config: {}\n",
        "__main__.py": PROGRAM,
        "shapes.py": f"names = {names!r}\n",
        **more,
    }


def read(text: str) -> dict[str, list[tuple[str, str]]]:
    """Return operation and name of each change by stack."""
    return {
        stack["name"]: [(change["op"], change["name"]) for change in stack["sections"]["diff"]["data"]["changes"]]
        for stack in json.loads(text)["stacks"]
    }


def test_each_side_runs_its_own_code(clone: Clone) -> None:
    clone.commit(house("old", "same"))
    clone.git("switch", "--quiet", "--create", "topic")
    clone.commit({"shapes.py": "names = ('new', 'same')\n"})

    done = clone.review("--against", "main", "--format", "json")
    assert sorted(read(done.stdout)["dev"]) == [("create", "new"), ("delete", "old")]
    assert done.returncode == 3, "a bucket goes"


def test_what_is_not_committed_counts_and_so_do_new_files(clone: Clone) -> None:
    clone.commit(house("one"))
    clone.write({"shapes.py": "from more import names\n", "more.py": "names = ('one', 'two')\n"})

    assert read(clone.review("--against", "HEAD", "--format", "json").stdout) == {"dev": [("create", "two")]}
    assert clone.git("status", "--porcelain").split() == ["M", "shapes.py", "??", "more.py"]


def test_a_project_below_the_root_of_the_repository_is_found(clone: Clone) -> None:
    clone.commit({f"infra/house/{name}": text for name, text in house("one").items()})
    clone.write({"infra/house/shapes.py": "names = ('one', 'two')\n"})

    done = clone.review("--against", "main", "--format", "json", cwd="infra/house")
    assert read(done.stdout) == {"dev": [("create", "two")]}


def test_what_no_program_reads_changes_nothing_and_runs_nothing(clone: Clone) -> None:
    clone.commit(house("one", **{"README.md": "old\n", "docs/page.md": "old\n"}))
    clone.write({"README.md": "new\n", "docs/page.md": "new\n", "tests/test_x.py": "pass\n"})
    # A program that would end the run if it ran.
    clone.git("update-index", "--assume-unchanged", "__main__.py")
    clone.write({"__main__.py": "raise SystemExit(7)\n"})

    done = clone.review("--against", "main")
    assert done.returncode == 0
    assert "nothing changes in any stack" in done.stdout
    assert "Unchanged: dev." in done.stdout


def test_a_new_stack_and_one_that_is_gone_are_told(clone: Clone) -> None:
    clone.commit(house("one", **{"Pulumi.old.yaml": "config: {}\n"}))
    clone.git("mv", "Pulumi.old.yaml", "Pulumi.new.yaml")
    clone.commit()

    done = clone.review("--against", "HEAD~1", "--format", "json")
    found = read(done.stdout)
    assert found.keys() == {"new", "old"}
    assert {op for op, _ in found["new"]} == {"create"}
    assert {op for op, _ in found["old"]} == {"delete"}
    assert json.loads(done.stdout)["untouched"] == ["dev"]


def test_an_older_revision_that_does_not_load_is_reported_and_not_fatal(clone: Clone) -> None:
    clone.commit(house("one", **{"shapes.py": "raise ValueError('broken back then')\n"}))
    clone.write({"shapes.py": "names = ('one',)\n"})

    done = clone.review("--against", "main", "--format", "json")
    (stack,) = json.loads(done.stdout)["stacks"]
    assert "broken back then" in stack["notes"][0]
    assert "rehearsal-review-" not in stack["notes"][0], "its temporary folder is nobody's business"
    assert "diff" not in stack["sections"]
    assert stack["reason"] == "the older revision does not load, so what changes is unknown"
    assert done.returncode == 3


def test_settings_that_are_refused_are_named_with_their_line_in_the_verdict(clone: Clone) -> None:
    clone.commit(house("one", **{"Pulumi.dev.yaml": "config: {}\n"}))
    clone.write({"Pulumi.dev.yaml": "config:\n  a:b:c: 1\n  d:e:f: 2\n"})

    done = clone.review("--against", "main", "--format", "json")
    reason = "it does not load any more: Pulumi.dev.yaml:2: a:b:c – not a configuration key, and 1 more"
    assert json.loads(done.stdout)["reason"] == reason
    assert done.returncode == 1


def test_a_revision_that_does_not_load_any_more_is_broken_and_says_why(clone: Clone) -> None:
    clone.commit(house("one"))
    clone.write({"shapes.py": "raise ValueError('broken now')\n"})

    done = clone.review("--against", "main")
    assert done.returncode == 1
    verdict = done.stdout.splitlines()[1]
    assert verdict == "# ❌ Broken: it does not load any more: ValueError: broken now"


def test_a_file_that_is_named_is_compared_with_itself_in_the_older_revision(clone: Clone) -> None:
    size = "import pulumi\nnames = ['b'] * 0 + [f'n{i}' for i in range(pulumi.Config().require_int('size'))]\n"
    clone.commit(
        house(
            **{"shapes.py": size, "examples/big.yaml": "config: {size: 1}\n", "Pulumi.dev.yaml": "config: {size: 1}\n"}
        )
    )
    clone.write({"examples/big.yaml": "config: {size: 2}\n"})

    assert not read(clone.review("--against", "main", "--format", "json").stdout), "examples only when named"
    done = clone.review("--against", "main", "--config-file", "examples/big.yaml", "--format", "json")
    assert read(done.stdout) == {"examples/big.yaml": [("create", "n1")]}


def test_a_revision_with_a_rehearsal_of_its_own_is_rehearsed_by_it(clone: Clone) -> None:
    own = """
        import json, sys
        urn = "urn:pulumi:dev::house::gcp:storage/bucket:Bucket::from-the-old-rehearsal"
        print(json.dumps({"steps": [{"op": "create", "urn": urn, "newState": {"urn": urn, "custom": True}}]}))
        assert sys.argv[1:] == ["preview", "--no-policy", "--json", "--stack", "dev"], sys.argv
    """
    clone.commit(house("one", **{"rehearsal/__init__.py": "", "rehearsal/__main__.py": own}))
    clone.git("rm", "--quiet", "-r", "rehearsal")
    clone.commit()

    done = clone.review("--against", "HEAD~1", "--format", "json")
    assert ("delete", "from-the-old-rehearsal") in read(done.stdout)["dev"]


def test_an_earlier_plan_serves_as_the_older_side(clone: Clone, tmp_path: Path) -> None:
    clone.commit(house("one", "two"))
    bucket = "urn:pulumi:dev::house::gcp:storage/bucket:Bucket::three"
    state = {"version": 3, "deployment": {"resources": [{"urn": bucket, "custom": True, "type": "x", "inputs": {}}]}}
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf-8")

    done = clone.review("--baseline", str(tmp_path / "state.json"), "--stack", "dev", "--format", "json")
    assert ("delete", "three") in read(done.stdout)["dev"]
    assert ("create", "one") in read(done.stdout)["dev"]


WRONG = {
    "an unknown revision": (["--against", "nowhere"], "git fetch origin nowhere"),
    "an option for a revision": (["--against", "--upload-pack=x"], "no such revision"),
    "an unknown stack": (["--against", "main", "--stack", "devv"], 'Did you mean "dev"?'),
    "a file that is not there": (["--against", "main", "--config-file", "none.yaml"], "no such file"),
    "two things to compare with": (["--against", "main", "--baseline", "x.json"], "Keep one."),
    "a baseline for nobody": (["--baseline", "Pulumi.yaml", "--stack", "a", "--stack", "b"], "--stack NAME"),
    "a baseline that is none": (["--baseline", "Pulumi.yaml", "--stack", "dev"], "stack export"),
    "a preview that is none": (["--preview", "Pulumi.yaml"], "pulumi preview --json --show-sames"),
    "an unknown form": (["--format", "pdf"], "markdown, json, html"),
    "a place that cannot be written": (["--against", "main", "--out", "Pulumi.yaml/report.md"], "Name another file."),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_with_what_to_do(clone: Clone, arguments: list[str], expected: str) -> None:
    clone.commit(house("one"))

    done = clone.review(*arguments)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_shallow_clone_says_how_to_get_the_rest(clone: Clone, tmp_path: Path) -> None:
    clone.commit(house("one"))
    clone.git("branch", "topic")
    clone.commit({"shapes.py": "names = ()\n"})
    clone.git("switch", "--quiet", "topic")
    clone.commit({"shapes.py": "names = ('x',)\n"})
    shallow = Clone(tmp_path / "shallow")
    Clone(tmp_path).git("clone", "--quiet", "--depth", "1", "--no-single-branch", f"file://{clone.root}", "shallow")

    done = shallow.review("--against", "origin/main")
    assert done.returncode == 1
    assert "fetch-depth: 0" in done.stderr


def test_a_detached_checkout_works(clone: Clone) -> None:
    clone.commit(house("one"))
    clone.commit({"shapes.py": "names = ('one', 'two')\n"})
    clone.git("switch", "--quiet", "--detach")

    assert read(clone.review("--against", "HEAD~1", "--format", "json").stdout) == {"dev": [("create", "two")]}


def test_a_hook_that_names_another_index_does_not_mislead(clone: Clone, tmp_path: Path) -> None:
    clone.commit(house("one"))
    clone.write({"shapes.py": "names = ('one', 'two')\n"})

    done = clone.review(
        "--against", "main", "--format", "json", GIT_INDEX_FILE=str(tmp_path / "other"), GIT_DIR="/nowhere"
    )
    assert read(done.stdout) == {"dev": [("create", "two")]}


def test_outside_a_repository_the_way_in_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="--baseline"):
        Repository.around(tmp_path)


def test_the_temporary_files_go_also_when_the_work_on_them_fails(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = clone.commit({"file": "content\n"})
    folder = Path(tempfile.mkdtemp(dir=clone.root.parent))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def work() -> None:
        with Repository(clone.root).files_at(commit) as files:
            assert (files / "file").read_text(encoding="utf-8") == "content\n"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert not list(folder.iterdir())


def test_a_digest_serves_as_the_older_side_of_itself(clone: Clone, tmp_path: Path) -> None:
    clone.commit(house("one"))
    plan = digests.loads('{"steps": []}', "empty")
    (tmp_path / "plan.json").write_text(digests.dumps(plan), encoding="utf-8")

    done = clone.review("--baseline", str(tmp_path / "plan.json"), "--stack", "dev", "--format", "json")
    assert {op for op, _ in read(done.stdout)["dev"]} == {"create"}
