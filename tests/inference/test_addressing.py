from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.addressing import hosts, nodes_with_pods, overlaps, split

blocks = st.builds(
    lambda base, prefix: str(IPv4Network((base, prefix), strict=False)), st.integers(0, 2**32 - 1), st.integers(8, 24)
)


@given(blocks, st.integers(1, 16))
def test_parts_are_disjoint_equal_and_inside_the_block(block: str, parts: int) -> None:
    subnets = [IPv4Network(part) for part in split(block, parts)]
    assert len(subnets) == parts
    assert len({subnet.prefixlen for subnet in subnets}) == 1
    assert all(subnet.subnet_of(IPv4Network(block)) for subnet in subnets)
    assert not list(overlaps({str(n): str(s) for n, s in enumerate(subnets)}))


@given(blocks, st.integers(1, 16))
def test_parts_are_as_large_as_a_power_of_two_allows(block: str, parts: int) -> None:
    size = IPv4Network(split(block, parts)[0]).num_addresses
    total = IPv4Network(block).num_addresses
    assert size * parts <= total < size * parts * 2


@given(blocks)
def test_a_range_overlaps_itself(block: str) -> None:
    assert list(overlaps({"a": block, "b": block})) == [("a", "b")]


def test_a_block_too_small_for_its_parts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"192\.168\.0\.0/27 is too small for 8 subnets"):
        split("192.168.0.0/27", 8)


def test_no_part_is_no_split() -> None:
    with pytest.raises(ValueError, match="0 parts"):
        split("10.0.0.0/8", 0)


def test_google_keeps_four_addresses_of_a_range() -> None:
    assert hosts("10.0.0.0/29") == 4
    assert hosts("10.0.0.0/32") == 0


# https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr: most pods of a node to the range that it takes.
@pytest.mark.parametrize(
    ("pods", "prefix"),
    [(8, 28), (9, 27), (16, 27), (17, 26), (32, 26), (33, 25), (64, 25), (65, 24), (110, 24), (256, 23)],
)
def test_a_node_takes_at_least_twice_its_pods_from_the_pod_range(pods: int, prefix: int) -> None:
    assert nodes_with_pods(f"10.0.0.0/{prefix - 3}", pods) == 8
