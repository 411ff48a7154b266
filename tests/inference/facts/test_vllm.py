import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts import vllm
from inference.facts.vllm import ALIASES, FLAG_SINCE, FLAGS, REMOVED, canonical_flag, is_flag

flags = st.sampled_from(sorted(FLAGS))


def test_the_list_of_options_is_whole() -> None:
    assert len(FLAGS) == 334, "as read off vLLM 0.32"
    assert {"--model", "--tensor-parallel-size", "--gpu-memory-utilization", "--kv-transfer-config"} <= FLAGS


@given(flags, st.sampled_from(["{}", "{}=3", "{}=a.b", "{}.key=3"]))
def test_an_option_is_known_in_every_spelling(flag: str, form: str) -> None:
    underscored = "--" + flag.removeprefix("--").replace("-", "_")
    for spelled in (flag, underscored):
        assert canonical_flag(form.format(spelled)) == flag


@given(flags)
def test_an_option_may_be_negated(flag: str) -> None:
    assert is_flag(f"--no-{flag.removeprefix('--')}")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz-", min_size=1))
def test_what_is_not_listed_is_no_option(word: str) -> None:
    candidate = f"--zz{word}"
    assert not is_flag(candidate)
    assert not is_flag(f"--no-{candidate.removeprefix('--')}")


@pytest.mark.parametrize("word", ["model", "--", "-", "-x", "--max-model-length", "--tensor-parallel", "serve", "-tpx"])
def test_other_words_are_no_options(word: str) -> None:
    assert not is_flag(word)


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("-tp", "--tensor-parallel-size"),
        ("-tp=8", "--tensor-parallel-size"),
        ("-n", "--nnodes"),
        ("-O3", "--optimization-level"),
        ("-cc.mode=3", "--compilation-config"),
        ("--no-enable-prefix-caching", "--enable-prefix-caching"),
    ],
)
def test_short_and_dotted_forms_mean_their_option(word: str, flag: str) -> None:
    assert canonical_flag(word) == flag


def test_every_alias_leads_to_an_option() -> None:
    assert set(ALIASES.values()) <= FLAGS


def test_what_was_removed_is_not_there() -> None:
    assert not set(REMOVED) & FLAGS
    assert set(FLAG_SINCE) <= FLAGS


def test_renamed_metrics_became_metrics_that_exist() -> None:
    assert set(vllm.RENAMED_METRICS.values()) <= vllm.METRICS
    assert not set(vllm.RENAMED_METRICS) & vllm.METRICS


def test_no_two_default_ports_collide() -> None:
    ports = [value for name, value in vars(vllm).items() if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) == 3


def test_an_unknown_name_of_the_module_is_an_error() -> None:
    with pytest.raises(AttributeError, match="NOTHING"):
        vllm.NOTHING  # noqa: B018
