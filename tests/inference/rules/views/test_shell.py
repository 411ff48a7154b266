"""What a container runs, whatever the spelling."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.rules.views.pods import Container
from inference.rules.views.resources import Resource
from inference.rules.views.shell import Script, script_of_text
from inference.rules.views.values import UNKNOWN, Props, Secret


def container(
    command: Any = None, args: Any = None, env: Any = (), *, kind: str = "Pod", size: Any = 2, **more: Any
) -> Container:
    spec = {"name": "c", "env": list(env) if isinstance(env, tuple) else env, **more}
    spec |= {key: value for key, value in {"command": command, "args": args}.items() if value is not None}
    if kind == "Pod":
        props: dict[str, Any] = {"spec": {"containers": [spec]}}
        resource = Resource("kubernetes:core/v1:Pod", "x", "urn:x", Props(props))
    else:
        template = {"size": size, "workerTemplate": {"spec": {"containers": [spec]}}}
        group = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
        resource = Resource(group, "x", "urn:x", Props({"spec": {"leaderWorkerTemplate": template}}))
    return resource.view(Container.of)[0]


def variables(**values: str) -> tuple[dict[str, str], ...]:
    return tuple({"name": name, "value": value} for name, value in values.items())


def server(script: Script) -> list[str]:
    """Return the only command line that starts vllm."""
    found = [list(map(str, command.argv)) for command in script.commands if command.program == "vllm"]
    assert len(found) == 1, f"expected one server, found {found}"
    return found[0]


SERVED = ["vllm", "serve", "m", "--port", "8000"]

SPELLINGS: list[tuple[Any, Any]] = [
    (SERVED, None),
    (["vllm"], SERVED[1:]),
    (["vllm", "serve"], ["m", "--port", "8000"]),
    (None, SERVED),
    (["/bin/sh", "-c"], ["vllm serve m --port 8000"]),
    (["sh", "-c", "vllm serve m --port 8000"], None),
    (None, ["bash", "-lc", "vllm serve m --port 8000"]),
    (["bash"], ["-ec", "vllm serve m --port 8000"]),
    (["bash", "-exc", "vllm serve m --port 8000"], []),
    (["bash", "-e", "-c"], ["vllm serve m --port 8000"]),
    (["bash", "-euo", "pipefail", "-c", "vllm serve m --port 8000"], None),
    (["bash", "-o", "pipefail", "-c", "vllm serve m --port 8000"], None),
    (["bash", "--login", "-c", "vllm serve m --port 8000"], None),
    (["/usr/bin/env", "bash", "-c", "vllm serve m --port 8000"], None),
    (["env", "A=b", "vllm"], SERVED[1:]),
    (["tini", "--", "vllm"], SERVED[1:]),
    (["bash", "-c", 'exec "$@"', "--"], SERVED),
    (["bash", "-c", 'vllm serve "$0" --port $1', "m", "8000"], None),
    (["bash", "-c", "vllm serve \\\n  m \\\n  --port 8000"], None),
    (["bash", "-c", "set -e; exec vllm serve m --port 8000"], None),
    (["bash", "-c", "A=b exec env C=d nohup vllm serve m --port 8000 > log 2>&1"], None),
    (["bash", "-c", "sudo -E -u vllm timeout -k 5 10 time vllm serve m --port 8000"], None),
    (["bash", "-c", "cd /x && (vllm serve m --port 8000 | tee log) & wait"], None),
    (["bash", "-c", "if [ -e x ]; then\n  vllm serve m --port 8000\nfi"], None),
    (["bash", "-c", "while true; do vllm serve m --port 8000; done"], None),
    (["bash", "-c", "for i in 1 2 3; do :; done; vllm serve m --port 8000"], None),
    (["bash", "-c", "for ((i=0; i<3; i++)); do vllm serve m --port 8000; done"], None),
    (["bash", "-c", "case $X in a|b) echo 1;; *) vllm serve m --port 8000;; esac"], None),
    (["bash", "-c", "# vllm serve no\nvllm serve m --port 8000 # --port 1"], None),
    (["bash", "-c", "cat <<EOF > f\nvllm serve no\nEOF\nvllm serve m --port 8000"], None),
    (["bash", "-c", "cat <<-'E F'\n\tvllm serve no\n\tE F\nvllm serve m --port 8000"], None),
    (["bash", "-c", "start() { vllm serve m --port 8000; }\nstart"], None),
    (["bash", "-c", "function start { vllm serve m --port 8000; }; start"], None),
    (["bash", "-c", 'bash -c "vllm serve m --port 8000"'], None),
    (["bash", "-c", 'eval "exec vllm serve m $@"', "--", "--port", "8000"], None),
    (["bash", "-c", 'vllm ser""ve \'m\' "--port" 8000'], None),
    (["bash", "-c", "until nc -z h 1; do sleep 1; done; [[ $A =~ ^(a|b)$ ]] && vllm serve m --port 8000"], None),
    (["bash", "-c", "{ vllm serve m --port 8000; }"], None),
    (["bash", "-c", "ARGS=(m --port); ARGS+=(8000); vllm serve ${ARGS[@]}"], None),
    (["bash", "-c", 'ARGS="m"; ARGS="$ARGS --port 8000"; vllm serve $ARGS'], None),
    (["bash", "-c", "vllm serve m --port $((4 * 2000))"], None),
    (["bash", "-c", "P=8000\nexport M=m\nvllm serve ${M} --port ${P:-1}"], None),
    (["bash", "-c", "vllm serve m --port ${UNSET:-8000} ${UNSET:+--x}"], None),
    (["bash", "-c", "vllm serve m --port 8000\r\n"], None),
    (["su", "-", "user", "-c", "vllm serve m --port 8000"], None),
    (["busybox", "sh", "-c", "vllm serve m --port 8000"], None),
    ([Secret("vllm"), "serve"], ["m", "--port", 8000.0]),
]


@pytest.mark.parametrize(("command", "args"), SPELLINGS)
def test_one_command_is_found_in_every_spelling(command: Any, args: Any) -> None:
    script = Script.of(container(command, args))
    assert server(script) == SERVED
    assert script.complete
    assert all(word.known for word in script.commands[-1].argv if script.commands[-1].program == "vllm")


def test_arguments_alone_belong_to_the_program_of_the_image() -> None:
    script = Script.of(container(None, ["--model", "m"]))
    assert script.by_image
    assert script.commands[0].argv == ("", "--model", "m")


@pytest.mark.parametrize(
    ("word", "env", "expected", "known"),
    [
        ("$(A)", variables(A="8"), "8", True),
        ("--a=$(A)/$(B)", variables(A="x", B="$(A)y"), "--a=x/xy", True),
        ("$(B)", variables(B="$(A)", A="later"), "$(A)", False),
        ("$(A)", ({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},), "${A}", False),
        ("$(A)", variables(A="1") + variables(A="2"), "2", True),
        ("$(A)", ({"name": "A", "value": UNKNOWN},), "${A}", False),
        ("$(A)", ({"name": "A"},), "", True),
        ("$$(A)", variables(A="8"), "$(A)", True),
        ("$(MISSING)", (), "$(MISSING)", False),
        ("${A}", variables(A="8"), "${A}", True),
        ("$A", variables(A="8"), "$A", True),
        (UNKNOWN, (), "", False),
    ],
)
def test_without_a_shell_only_the_kubelet_expands(word: Any, env: Any, expected: str, known: bool) -> None:
    found = Script.of(container(["run", word], env=env)).commands[0].argv[1]
    assert (found, found.known) == (expected, known)


@pytest.mark.parametrize(
    ("text", "expected", "known"),
    [
        ("x $(E)", ["e"], True),
        ("x ${E}$E", ["ee"], True),
        ("x '$E' \"$E\" \\$E", ["$E", "e", "$E"], True),
        ("E=f; x $E", ["f"], True),
        ("E=f y; x $E", ["e"], True),
        ("x $MISSING", ["$MISSING"], False),
        ("x ${FROM_SECRET:-default}", ["${FROM_SECRET:-default}"], False),
        ("x ${LWS_WORKER_INDEX:-0}", ["${LWS_WORKER_INDEX:-0}"], False),
        ("x $(date)", ["$(date)"], False),
        ("x `date`", ["`date`"], False),
        ("Y=$(date); x a$Y", ["a$(date)"], False),
        ("if a; then V=1; else V=2; fi; x $V", ["${V}"], False),
        ("if a; then V=1; else V=1; fi; x $V", ["1"], True),
        ("V=1; if a; then V=2; fi; x $V", ["${V}"], False),
        ('V=--a; if a; then V="$V --b"; fi; x $V', ["--a", "${V}"], False),
        ("V=(1); if a; then V+=(2); fi; x ${V[@]}", ["1", "${V}"], False),
        ("V=1; (V=2); x $V", ["1"], True),
        ("V=1; [ -n z ] && V=2; x $V", ["${V}"], False),
        ("cd / && V=2; x $V", ["2"], True),
        ("read V; x $V", ["${V}"], False),
        ("for V in 1 2; do x $V; done", ["${V}"], False),
        ("x $((N * 2))", ["$((N * 2))"], False),
        ("N=3; x $((N * ${N} - 1))", ["8"], True),
        ("x ${E:=f} ${G:=h} $G", ["e", "h", "h"], True),
        ("x ${E#e}", ["${E#e}"], False),
        ("f() { x $1; }; f 8", ["$1"], False),
        ("unset E; x ${E:-gone}", ["gone"], True),
    ],
)
def test_a_shell_fills_in_what_is_known_and_keeps_the_rest(text: str, expected: list[str], known: bool) -> None:
    secret = {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    script = Script.of(container(["bash", "-c", text], env=(*variables(E="e"), secret)))
    argv = next(iter(script.running("x"))).argv[1:]
    assert list(argv) == expected
    assert all(word.known for word in argv) is known


@pytest.mark.parametrize("more", [{"env": UNKNOWN}, {"env": [UNKNOWN]}, {"envFrom": [{"configMapRef": {"name": "c"}}]}])
def test_a_default_is_not_believed_where_variables_are_hidden(more: dict[str, Any]) -> None:
    argv = Script.of(container(["sh", "-c", "x ${A:-1}"], **more)).commands[0].argv
    assert (argv[1], argv[1].known) == ("${A:-1}", False)


@pytest.mark.parametrize("text", ["x $(LWS_GROUP_SIZE)", "x ${LWS_GROUP_SIZE}", "x $LWS_GROUP_SIZE"])
def test_the_group_size_is_that_of_the_leader_worker_set(text: str) -> None:
    assert Script.of(container(["sh", "-c", text], kind="LWS", size=4)).commands[0].argv == ("x", "4")
    assert not Script.of(container(["sh", "-c", text], kind="LWS", size=UNKNOWN)).commands[0].argv[1].known
    assert not Script.of(container(["sh", "-c", text])).commands[0].argv[1].known


@pytest.mark.parametrize(("command", "args"), [(UNKNOWN, ["a"]), (["a"], UNKNOWN)])
def test_an_unknown_command_line_is_not_complete(command: Any, args: Any) -> None:
    assert not Script.of(container(command, args)).complete


def test_a_command_knows_its_environment_and_what_starts_it() -> None:
    text = "L=/a; export L P=1; Q=2; exec env E=3 nohup x"
    command = next(iter(Script.of(container(["bash", "-c", text], env=variables(C="0"))).running("x")))
    assert dict(command.environment) == {"C": "0", "L": "/a", "P": "1", "E": "3"}
    assert command.wrappers == ("exec", "env", "nohup")


def test_an_assignment_that_keeps_an_unknown_part_says_so() -> None:
    script = script_of_text("export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:$LD_LIBRARY_PATH")
    value = script.assignments["LD_LIBRARY_PATH"]
    assert (value, value.known) == ("/usr/local/nvidia/lib64:$LD_LIBRARY_PATH", False)


def test_nothing_runs_after_exec_or_exit() -> None:
    assert [c.program for c in script_of_text("a; exec b; c").commands] == ["a", "b"]
    assert [c.program for c in script_of_text("a; exit 1; c").commands] == ["a", "exit"]
    assert [c.program for c in script_of_text("a || exit 1; c").commands] == ["a", "exit", "c"]
    assert [c.program for c in script_of_text("exec > log; c").commands] == ["c"]


@pytest.mark.parametrize(
    ("text", "sourced"),
    [
        ("source /gib/set_nccl_env.sh && exec x", True),
        (". /gib/set_nccl_env.sh; x", True),
        ("source '/gib/set_nccl_env.sh'\nbash -c 'x'", True),
        ("cat /gib/set_nccl_env.sh; x", False),
        ("bash /gib/set_nccl_env.sh; x", False),
        ("# source /gib/set_nccl_env.sh\nx", False),
        ("(source /gib/set_nccl_env.sh); x", False),
        ("source /gib/set_nccl_env.sh | tee log; x", False),
        ("bash -c 'source /gib/set_nccl_env.sh'; x", False),
        ("x; source /gib/set_nccl_env.sh", False),
        ("echo source /gib/set_nccl_env.sh; x", False),
    ],
)
def test_a_file_counts_as_sourced_only_for_the_shell_that_reads_it(text: str, sourced: bool) -> None:
    script = script_of_text(text)
    assert script.sources("set_nccl_env.sh", next(iter(script.running("x")))) is sourced


def test_a_mention_is_in_what_runs_and_not_in_a_comment() -> None:
    assert script_of_text("cat a/b.sh").mentions("b.sh")
    assert script_of_text("F=a/b.sh").mentions("b.sh")
    assert script_of_text("cat <<E\nb.sh\nE").mentions("b.sh")
    assert script_of_text("echo > b.sh").mentions("b.sh")
    assert not script_of_text("x # b.sh").mentions("b.sh")


SAMPLES = [
    "vllm a b 'c d' \"e f\" g\\ h i\"j\"'k'",
    'A=1; B="$A 2"; vllm $B "$B" ${A}x "${A}"',
    'vllm --p ${P:-8000} --q ${E:-e e} --r "${E:-e e}" ${Z:+no} --s=${A:-"q r"} --t=${B:-q r}',
    'A=(--x 1 --y "a b"); A+=(--z); vllm "${A[@]}" ${A[1]} "${A[*]}" ${A[@]}',
    'set -- a "b c"; vllm "$@"; vllm $*; vllm "$*" $#; shift; vllm "$1"',
    "vllm $((2*3+4/2-1)) $(( -7 % 4 )) $((-7 / 2))",
    "(A=1; vllm $A); A=2 vllm x; env B=1 vllm y; nohup vllm z 2>&1 >/dev/null",
    "bash -c 'vllm \"$0\" \"$@\"' zero one 't w'",
    'vllm \'{"a":"b c"}\' "{\\"k\\":\\"v\\"}" $\'tab\\tx\'',
    'X="a  b\tc"; vllm $X end; vllm pre$X"post"',
    "case abc in a*) vllm case;; esac; for i in 1; do vllm loop; done",
    'A=x; A+=y; vllm $A ${A:=q} ${N:=new} $N; EMPTY=; vllm "$EMPTY" $EMPTY b',
    'ARGS="--a 1"; ARGS="$ARGS --b 2"; exec vllm $ARGS',
    'vllm a#b "#c" \\#d "a\\"b" \'a"b\' a\\\nb',
    "cat <<'X' >/dev/null\nvllm no\nX\nvllm yes; eval \"vllm 'a b' c\"; timeout 10 env -u X Y=1 vllm deep",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="compares with bash, which is not installed")
@pytest.mark.parametrize("text", SAMPLES)
def test_the_words_are_those_that_bash_makes(text: str, tmp_path: Path) -> None:
    program, log = tmp_path / "vllm", tmp_path / "log"
    program.write_text(
        f"#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]), file=open({str(log)!r}, 'a'))\n"
    )
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", text], env=environment, check=False, capture_output=True)  # noqa: S603, S607 - fixed texts
    real = [json.loads(line) for line in log.read_text().splitlines()]
    assert [list(command.argv[1:]) for command in script_of_text(text).running("vllm")] == real


PIECES = st.sampled_from(
    [
        *[
            "$(",
            "${",
            "}",
            ")",
            "(",
            "((",
            "))",
            '"',
            "'",
            "`",
            "\\",
            "\n",
            " ",
            ";",
            "&&",
            "||",
            "|",
            "&",
            "<<E\n",
            "E\n",
        ],
        *[
            "if ",
            "then ",
            "fi ",
            "else ",
            "for x in ",
            "do ",
            "done ",
            "case ",
            "esac ",
            " in ",
            ";;",
            "A=",
            "A+=",
            "A=(",
        ],
        *["$A", '"$A"', "${A:-", "${A[@]}", '"$@"', "$1", "[[ ", " ]]", "eval ", "bash -c ", "export ", "exec ", "#"],
        *[
            "f() ",
            "$((",
            "vllm serve ",
            "--x=",
            ">",
            "2>&1",
            "<(",
            "unset A",
            "shift",
            "$'",
            "\u00a0",
            "\x00",
            "\ue000",
        ],
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join)))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    script = script_of_text(text, {"A": "x y"})
    script.sources("x")
    script.mentions("x")


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=9), st.just(UNKNOWN), st.just(Secret("s"))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["name", "value", "x"]), inner)
    ),
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_no_container_makes_the_reader_fail(command: Any, args: Any, env: Any) -> None:
    Script.of(container(command, args, env))


SLOW = [
    "(",
    "((",
    "$(",
    "${A:-",
    "`",
    '"$(',
    "A=(",
    "f(){",
    "if a;then ",
    "case a in ",
    'eval "',
    "A=$A$A;",
    "a;",
    "a|",
]
SLOW += ["[[ (", "<<A ", "export A=1;b;", "(a;b) ", "A+=xxxxxxxxxxxx;", "x='", "V=1 a;", "[ a ] && A=b\n", "$A "]


@pytest.mark.parametrize("piece", SLOW)
def test_the_work_on_a_text_is_bounded(piece: str) -> None:
    begin = time.process_time()
    for length in (200_000, 3_000_000):
        script_of_text(piece * (length // len(piece)), {"A": "x y"})
    assert time.process_time() - begin < 10, "a long text must not take quadratic time"


def test_variables_that_double_each_other_stay_small() -> None:
    env = [{"name": "A0", "value": "xx"}, *({"name": f"A{n}", "value": f"$(A{n - 1})" * 2} for n in range(1, 64))]
    argv = Script.of(container(["echo", "$(A63)", "$(A3)"], env=env)).commands[0].argv
    assert not argv[1].known
    assert argv[2] == "x" * 16
