from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.startup import PROBE_PERIOD, startup

sizes = st.floats(0, 3e12)
sources = st.sampled_from(["hub", "bucket"])
nodes = st.integers(1, 16)


@given(sizes, sources, nodes)
def test_probes_allow_at_least_twice_the_estimate(size: float, source: str, count: int) -> None:
    found = startup(size, source, count)
    assert found.failure_threshold * PROBE_PERIOD >= found.budget_seconds >= 2 * found.seconds


@given(sizes, sources, nodes)
def test_nobody_gets_less_than_ten_minutes_and_no_group_less_than_thirty(size: float, source: str, count: int) -> None:
    found = startup(size, source, count)
    assert found.budget_seconds >= (1800 if count > 1 else 600)


def test_weights_of_unknown_size_get_the_floor() -> None:
    assert startup(None, "hub", 1).budget_seconds == 600


def test_a_bucket_is_read_in_parts_and_the_hub_as_a_whole() -> None:
    assert startup(1e12, "bucket", 2).read_seconds * 2 == startup(1e12, "bucket", 1).read_seconds
    assert startup(1e12, "hub", 2).read_seconds == startup(1e12, "hub", 1).read_seconds
