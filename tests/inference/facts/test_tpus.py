from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts import prices
from inference.facts.tpus import (
    GENERATIONS,
    TpuGeneration,
    generation_of_accelerator,
    generation_of_machine,
    slice_of,
)
from inference.facts.zones import is_zone

# Nodes of each topology as github.com/AI-Hypercomputer/xpk @367c838253be system_characteristics.py has them.
CUBES = {"2x2x1": 1, "2x2x2": 2, "2x2x4": 4, "2x4x4": 8, "4x4x4": 16, "4x4x8": 32, "4x8x8": 64, "8x8x8": 128}
FLAT = {"4x4": 4, "4x8": 8, "8x8": 16, "8x16": 32, "16x16": 64}
PUBLISHED = {
    "v4": {**CUBES, "8x8x12": 192, "8x8x16": 256, "8x16x16": 512},
    "v5e": {"1x1": 1, "2x2": 1, "2x4": 1, **FLAT},
    "v5p": CUBES,
    "v6e": {"1x1": 1, "2x2": 1, "2x4": 1, **FLAT},
    "tpu7x": {"1x1x1": 1, **CUBES},
}


@pytest.mark.parametrize(
    ("name", "topology", "nodes"), [(g, t, n) for g, row in PUBLISHED.items() for t, n in row.items()]
)
def test_a_topology_has_the_published_number_of_nodes(name: str, topology: str, nodes: int) -> None:
    found = slice_of(name, topology)
    assert found.nodes == nodes
    assert found.multi_host == (nodes > 1)


def test_no_listed_topology_is_left_out_of_the_comparison() -> None:
    assert {name: set(row.listed) for name, row in GENERATIONS.items()} == {g: set(r) for g, r in PUBLISHED.items()}


@pytest.mark.parametrize(
    ("name", "topology", "machine"),
    [
        ("v6e", "1x1", "ct6e-standard-1t"),
        ("v6e", "2x2", "ct6e-standard-4t"),
        ("v6e", "2x4", "ct6e-standard-8t"),
        ("v6e", "4x4", "ct6e-standard-4t"),
        ("v5e", "2x4", "ct5lp-hightpu-8t"),
        ("tpu7x", "1x1x1", "tpu7x-standard-1t"),
        ("tpu7x", "2x2x1", "tpu7x-standard-4t"),
    ],
)
def test_one_host_is_preferred_where_it_is_enough(name: str, topology: str, machine: str) -> None:
    assert slice_of(name, topology).machine_type == machine


@pytest.mark.parametrize(("name", "machine"), [("v6e", "ct6e-standard-4t"), ("v5e", "ct5lp-hightpu-4t")])
def test_eight_chips_may_span_two_hosts_on_request(name: str, machine: str) -> None:
    found = slice_of(name, "2x4", machine)
    assert (found.nodes, found.chips_per_node, found.multi_host) == (2, 4, True)


def test_ironwood_shows_two_devices_a_chip() -> None:
    # cluster-toolkit docs/gcluster_job_guide.md: 2x4x4 = 32 chips = 64 devices
    found = slice_of("tpu7x", "2x4x4")
    assert (found.chips, found.devices, found.hbm_gib) == (32, 64, 32 * 192)


each_generation = pytest.mark.parametrize("generation", GENERATIONS.values(), ids=lambda row: row.name)


@each_generation
def test_a_slice_is_made_of_whole_nodes(generation: TpuGeneration) -> None:
    for topology in generation.listed:
        found = slice_of(generation, topology)
        assert found.chips == prod(int(side) for side in topology.split("x"))
        assert found.nodes * generation.machine_types[found.machine_type] == found.chips


@each_generation
def test_the_machine_type_tells_its_chips(generation: TpuGeneration) -> None:
    assert all(name.endswith(f"-{chips}t") for name, chips in generation.machine_types.items())
    assert set(generation.host_shapes) <= set(generation.machine_types)
    assert all(generation_of_machine(name) is generation for name in generation.machine_types)
    assert generation_of_accelerator(generation.accelerator) is generation


@each_generation
def test_flex_start_is_where_the_generation_is(generation: TpuGeneration) -> None:
    assert all(is_zone(zone) for zone in generation.zones or ())
    assert all(generation.offered_in(zone) is True for zone in generation.flex_start_zones or ())


sides = st.lists(st.integers(1, 8).map(lambda n: 4 * n), min_size=3, max_size=3).map(sorted)


@given(sides)
def test_cubes_of_four_make_any_slice_up_to_the_largest(numbers: list[int]) -> None:
    topology = "x".join(map(str, numbers))
    if prod(numbers) <= GENERATIONS["v5p"].max_chips:
        assert slice_of("v5p", topology).nodes == prod(numbers) // 4
    else:
        with pytest.raises(ValueError, match="at most 8960"):
            slice_of("v5p", topology)


@pytest.mark.parametrize(
    ("name", "topology", "machine", "says"),
    [
        ("v6e", "3x3", None, "choose one of 1x1, 2x2"),
        ("v6e", "2x2x2", None, "form AxB"),
        ("v5p", "4x4", None, "form AxBxC"),
        ("v5p", "5x5x5", None, "multiples of 4"),
        ("v5p", "8x4x4", None, "4x4x8"),
        ("v5p", "04x4x4", None, "form AxBxC"),
        ("v5p", "0x4x4", None, "form AxBxC"),
        ("v6e", "two by four", None, "form AxB"),
        ("v6e", "4x4", "ct6e-standard-8t", "use ct6e-standard-4t"),
        ("v6e", "1x1", "ct6e-standard-4t", "use ct6e-standard-1t"),
        ("v6e", "2x2", "ct5p-hightpu-4t", "choose one of ct6e-standard-1t"),
        ("v7", "2x2", None, "choose one of v4, v5e"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(name: str, topology: str, machine: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        slice_of(name, topology, machine)


def test_only_ironwood_needs_a_workload_policy() -> None:
    # https://github.com/vllm-project/ci-infra/pull/547
    assert {g.name for g in GENERATIONS.values() if g.placement == "workload-policy"} == {"tpu7x"}


def test_a_zone_without_the_generation_is_told_from_an_unknown_one() -> None:
    assert GENERATIONS["v6e"].offered_in("us-central1-b") is True
    assert GENERATIONS["v6e"].offered_in("us-east1-b") is False
    assert GENERATIONS["v6e"].offered_in("southamerica-west1-a") is None


@each_generation
def test_a_zone_that_some_list_names_is_never_refused(generation: TpuGeneration) -> None:
    assert all(generation.offered_in(zone) is None for zone in generation.zones_seen)
    assert not generation.zones_seen & (generation.zones or frozenset())


@each_generation
def test_no_region_with_a_price_is_refused_as_a_whole(generation: TpuGeneration) -> None:
    sold = {row.region for row in prices.every() if row.item == generation.name}
    assert not [r for r in sold if all(generation.offered_in(f"{r}-{letter}") is False for letter in "abcdf")]


@each_generation
def test_a_pool_of_single_machines_shows_the_topology_of_their_chips(generation: TpuGeneration) -> None:
    for machine, chips in generation.machine_types.items():
        topology = generation.single_host_topology(chips)
        assert topology is not None
        assert slice_of(generation, topology, machine).nodes == 1
    assert generation.single_host_topology(3) is None
    assert generation.single_host_topology(16) is None
