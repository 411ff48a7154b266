"""The options of a model server, as its own parser reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.rules.views.options import HUGGING_FACE, SGLANG, TGI, TRTLLM, VLLM, Dialect, Options, read_options
from inference.rules.views.shell import Word, script_of_text
from inference.rules.views.values import UNKNOWN


def options(line: str, dialect: Dialect = VLLM) -> Options:
    """Read a line as a shell would hand it on."""
    return read_options(script_of_text(f"x {line}").commands[0].argv[1:], dialect)


@pytest.mark.parametrize(
    "line",
    [
        "--tensor-parallel-size 8",
        "--tensor-parallel-size=8",
        "--tensor_parallel_size 8",
        "--tensor_parallel_size=8",
        "--tensor-parallel 8",
        "-tp 8",
        "-tp=8",
        "--tensor-parallel-size 4 --tensor-parallel-size 8",
        "-tp 4 --tensor_parallel_size=8",
        "--enforce-eager -tp 8 model",
        "--tensor-parallel-size '8'",
    ],
)
def test_an_option_is_the_same_in_every_spelling(line: str) -> None:
    read = options(line)
    for name in ("tensor-parallel-size", "tensor_parallel_size", "--tensor-parallel-size"):
        assert read.option(name) == "8"
        assert read.integer(name) == 8
        assert read.has(name)
        assert not read.absent(name)
    assert set(read.flags) <= {"--tensor-parallel-size", "--enforce-eager"}


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("-pp 2", "pipeline-parallel-size", 2),
        ("-dp 2", "data-parallel-size", 2),
        ("-dpl 2", "data-parallel-size-local", 2),
        ("-n 2", "nnodes", 2),
        ("-n2", "nnodes", 2),
        ("-r 0", "node-rank", 0),
        ("-r0", "node-rank", 0),
        ("-O3", "optimization-level", 3),
        ("--max-model-len 32k", "max-model-len", 32_000),
        ("--max-model-len 32K", "max-model-len", 32_768),
        ("--max-model-len 25.6k", "max-model-len", 25_600),
        ("--max-model-len -1", "max-model-len", -1),
        ("--max-model-len auto", "max-model-len", None),
        ("--port 8_000", "port", None),
        ("--port", "port", None),
    ],
)
def test_whole_numbers_are_read_as_the_engine_reads_them(line: str, name: str, value: int | None) -> None:
    assert options(line).integer(name) == value
    assert options(line).has(name)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("--gpu-memory-utilization 0.9", 0.9),
        ("--gpu-memory-utilization=.85", 0.85),
        ("--gpu-memory-utilization nan", None),
        ("--gpu-memory-utilization x", None),
        ("", None),
    ],
)
def test_numbers_are_finite(line: str, value: float | None) -> None:
    assert options(line).number("gpu-memory-utilization") == value


@pytest.mark.parametrize(
    ("line", "on"),
    [
        ("--enable-prefix-caching", True),
        ("--enable_prefix_caching", True),
        ("--no-enable-prefix-caching", False),
        ("--no-enable_prefix_caching", False),
        ("--enable-prefix-caching --no-enable-prefix-caching", False),
        ("--no-enable-prefix-caching --enable-prefix-caching", True),
        ("--enable-prefix-caching=False", False),
        ("--enable-prefix-caching true", True),
        ("--enable-prefix-caching model", True),
        ("--enable-prefix-caching=$X", None),
        ("", None),
    ],
)
def test_a_switch_is_on_off_or_not_known(line: str, on: bool | None) -> None:
    assert options(line).switch("enable-prefix-caching") is on


@pytest.mark.parametrize(
    "line",
    ["--dtype $D", "--dtype=$D", '--dtype "${D}"', "--dtype $(cat d)", "--dtype pre-$D", "--dtype half --dtype $D"],
)
def test_a_value_that_cannot_be_known_is_given_and_has_no_value(line: str) -> None:
    read = options(line)
    assert read.has("dtype")
    assert read.unknown("dtype")
    assert read.option("dtype") is None
    assert not read.absent("dtype")
    assert read.complete, "one value more or less hides no other option"


@pytest.mark.parametrize(
    "line", ["m $EXTRA", 'm "$(args)"', "m $(cat args)", "$ARGS --port 1", "--config f.yaml", "m --$X 1"]
)
def test_words_that_may_be_options_make_the_list_incomplete(line: str) -> None:
    read = options(line)
    assert not read.complete
    assert not read.absent("dtype")


@pytest.mark.parametrize("line", ["$MODEL --port 1", '"${MODEL_ID}" --port 1', "$HF_REPO --port 1"])
def test_a_variable_named_for_a_model_is_the_model(line: str) -> None:
    read = options(line)
    assert read.complete
    assert len(read.positional) == 1
    assert not read.positional[0].known


def test_a_word_after_an_unknown_one_may_be_its_value() -> None:
    assert options("m $FLAG value").positional == ("m",)


def test_an_unknown_word_of_the_engine_may_be_anything() -> None:
    read = read_options([Word(known=False), Word("--port"), Word("1")])
    assert not read.complete
    assert read.option("port") == "1"


@pytest.mark.parametrize(
    ("line", "positional"),
    [
        ("m --port 1", ("m",)),
        ("--port 1 m", ("m",)),
        ("--trust-remote-code m --enforce-eager", ("m",)),
        ("--port 1 -- --odd", ("--odd",)),
        ("--api-key k1 k2 --port 1", ()),
        ("--seed -5 m", ("m",)),
    ],
)
def test_words_that_belong_to_no_option_are_positional(line: str, positional: tuple[str, ...]) -> None:
    assert options(line).positional == positional


def test_a_list_takes_every_word_up_to_the_next_option() -> None:
    read = options("m --served-model-name a b c --port 1")
    assert read.values("served-model-name") == ("a", "b", "c")
    assert read.option("port") == "1"


def test_flags_are_listed_in_order_with_duplicates() -> None:
    line = "-tp 8 --no_enable_prefix_caching --swap-space=4 --disable_log_requests --tensor-parallel-size 2 --Odd -x"
    assert options(line).flags == (
        *("--tensor-parallel-size", "--no-enable-prefix-caching", "--swap-space", "--disable-log-requests"),
        *("--tensor-parallel-size", "--Odd", "-x"),
    )


def test_an_option_that_is_gone_is_not_taken_for_an_abbreviation() -> None:
    assert options("--enable-reasoning --worker-use-ray --mod x").flags == (
        *("--enable-reasoning", "--worker-use-ray", "--mod"),
    )


KV: dict[str, Any] = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('--kv-transfer-config \'{"kv_connector":"NixlConnector","kv_role":"kv_both"}\'', KV),
        ('--kv_transfer_config="{\\"kv_connector\\":\\"NixlConnector\\",\\"kv_role\\":\\"kv_both\\"}"', KV),
        ("--kv-transfer-config.kv_connector NixlConnector --kv_transfer_config.kv_role=kv_both", KV),
        ('--kv-transfer-config \'{"kv_role":"no"}\' --kv-transfer-config.kv_role yes', {"kv_role": "yes"}),
        ("--kv-transfer-config.a.b 1 --kv-transfer-config.a.c x", {"a": {"b": 1, "c": "x"}}),
        ("--kv-transfer-config.a+ x --kv-transfer-config.a+=y,z", {"a": ["x", "y", "z"]}),
        ('--kv-transfer-config \'{"n": 80m, "t": "80m"}\'', {"n": 80_000_000, "t": "80m"}),
        ('--kv-transfer-config \'{"kv_role": "kv_both"\'', {}),
        ("--kv-transfer-config '[1]'", {}),
        ("--kv-transfer-config", {}),
        ("", {}),
    ],
)
def test_a_json_option_is_read_whole_or_key_by_key(line: str, expected: dict[str, Any]) -> None:
    assert dict(options(line).json("kv-transfer-config").items()) == expected


def test_a_json_option_with_a_variable_is_known_but_for_that() -> None:
    read = options(
        '--kv-events-config "{\\"endpoint\\":\\"tcp://*:5557\\",\\"topic\\":\\"kv@${POD_IP}@m\\",\\"l\\":[1]}"'
    )
    found = read.json("kv-events-config")
    assert found.text("endpoint") == "tcp://*:5557"
    assert found.raw("topic") is UNKNOWN
    assert found.raw("l") == [1]
    assert not options("--kv-events-config $C").json("kv-events-config").known("endpoint")
    assert not options("--kv-events-config.endpoint $C").json("kv-events-config").known("endpoint")


@pytest.mark.parametrize("line", ["--kv-transfer-config.kv_role x", "--kv-transfer-config '{}'"])
def test_a_json_option_is_given_in_either_form(line: str) -> None:
    assert options(line).has("kv-transfer-config")


@pytest.mark.parametrize(
    ("dialect", "line", "name", "value"),
    [
        (SGLANG, "--model-path m --tp 8", "tensor-parallel-size", "8"),
        (SGLANG, "--tp-size=8 --mem-fraction-static 0.8", "gpu-memory-utilization", "0.8"),
        (SGLANG, "--context-length 4096", "max-model-len", "4096"),
        (TGI, "--model-id m --num-shard 2", "tensor-parallel-size", "2"),
        (TGI, "-p 80", "port", "80"),
        (TRTLLM, "m --tp_size 4 --max_seq_len 9", "tensor-parallel-size", "4"),
        (HUGGING_FACE, "--model_id=org/m", "model", "org/m"),
        (HUGGING_FACE, "--model_name n --max_length 9", "max-model-len", "9"),
        (HUGGING_FACE, "--tensor_parallel_size 2", "tensor-parallel-size", "2"),
    ],
)
def test_other_servers_spell_the_same_options_in_their_own_way(
    dialect: Dialect, line: str, name: str, value: str
) -> None:
    assert options(line, dialect).option(name) == value


def test_options_that_the_engine_never_sees_are_no_flags_of_it() -> None:
    read = options("--backend=vllm --disable_log_requests --dtype half", HUGGING_FACE)
    assert read.flags == ("--dtype",)
    assert read.option("backend") == "vllm"


NAMES = ("port", "kv-transfer-config", "enforce-eager", "served-model-name")
WORDS = st.builds(
    lambda text, known: Word(text, known=known),
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["--port", "-tp", "-n2", "--no-x", "--", "-", "--=", "--a.b", "--kv-transfer-config.a.b+", "{"]
        ),
        st.sampled_from(["--kv-transfer-config", '{"a": 1k}', "$X", "1e999", "-5", "--kv-transfer-config.", "." * 30]),
        st.sampled_from(["[" * 5000, "--kv-transfer-config=" + '{"a":' * 3000, "9" * 5000 + "k"]),
    ),
    st.booleans(),
)


@given(st.lists(WORDS, max_size=12), st.sampled_from([VLLM, SGLANG, TGI, TRTLLM, HUGGING_FACE]))
def test_no_words_make_the_reader_fail(words: list[Word], dialect: Dialect) -> None:
    read = read_options(words, dialect)
    assert len(read.flags) <= len(words)
    for name in NAMES:
        read.option(name)
        read.integer(name)
        read.number(name)
        read.switch(name)
        read.values(name)
        read.json(name)


def test_very_many_words_are_cut_off_and_say_so() -> None:
    read = read_options([Word(f"--x{n}") for n in range(200_000)])
    assert not read.complete
