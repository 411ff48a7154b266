"""What a stack costs: a price row times a count, from the fewest nodes to the most, and never a guess."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.estimates.pricing import Agreement, dollars
from inference.rules.views.values import UNKNOWN
from tests.inference.estimates.cost_cases import cluster, costs, counted, gateway, line, nat, nodes, pool
from tests.inference.rules.cases import Changes, resource

DISK = "pd-balanced boot disks"


# ---------------------------------------------------------------- how many


def test_a_pool_costs_its_fewest_nodes_idle_and_its_most_at_maximum() -> None:
    found = costs(cluster(), pool())
    assert counted(found, "g2-standard-4") == (1, 3)
    assert line(found, "g2-standard-4").idle_hourly == pytest.approx(0.706832)
    assert line(found, "g2-standard-4").most_hourly == pytest.approx(3 * 0.706832)
    assert counted(found, DISK) == (100, 300)


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"autoscaling": {"minNodeCount": 1, "maxNodeCount": 2}}, (1, 2)),
        (
            {
                "autoscaling": {"minNodeCount": 1, "maxNodeCount": 2},
                "nodeLocations": ["us-central1-a", "us-central1-b", "us-central1-c"],
            },
            (3, 6),
        ),
        ({"autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 4}, "initialNodeCount": 2}, (0, 4)),
        ({"autoscaling": {"maxNodeCount": 4}}, (0, 4)),
        ({"autoscaling": None, "nodeCount": 2}, (2, 2)),
        ({"autoscaling": None, "nodeCount": 2, "nodeLocations": ["us-central1-a", "us-central1-b"]}, (4, 4)),
        ({"autoscaling": None, "initialNodeCount": 3}, (3, 3)),
        ({"autoscaling": None, "nodeCount": UNKNOWN}, (None, None)),
        ({"autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": UNKNOWN}}, (1, None)),
        ({"autoscaling": {"totalMinNodeCount": UNKNOWN, "totalMaxNodeCount": 3}}, (None, 3)),
    ],
    ids=str,
)
def test_nodes_are_counted_as_the_pool_says(props: Changes, expected: tuple[int | None, int | None]) -> None:
    assert counted(costs(cluster(), pool(props)), "g2-standard-4") == expected


def test_a_regional_pool_without_zones_counts_three() -> None:
    props = {"nodeLocations": None, "location": "us-central1", "autoscaling": {"minNodeCount": 1, "maxNodeCount": 2}}
    found = costs(cluster({"location": "us-central1"}), pool(props))
    assert counted(found, "g2-standard-4") == (3, 6)


# ---------------------------------------------------------------- how they are bought


@pytest.mark.parametrize(
    ("config", "mode", "row", "idle"),
    [
        ({}, "on-demand", "g2-standard-4 on-demand us-central1", 0.706832),
        ({"spot": True}, "spot", "g2-standard-4 spot us-central1", 0.424056),
        ({"preemptible": True}, "spot", "g2-standard-4 spot us-central1", 0.424056),
        (
            {"reservationAffinity": {"consumeReservationType": "ANY_RESERVATION"}},
            "on-demand",
            "g2-standard-4 on-demand us-central1",
            0.706832,
        ),
        (
            {"reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}},
            "reservation",
            "g2-standard-4 on-demand us-central1",
            0.706832,
        ),
    ],
    ids=str,
)
def test_the_way_of_buying_chooses_the_price_row(config: Changes, mode: str, row: str, idle: float) -> None:
    found = next(one for one in costs(cluster(), nodes(**config)).lines if one.kind == "nodes")
    assert found.mode == mode
    assert found.rate is not None
    assert found.rate.key == row
    assert found.idle_hourly == pytest.approx(idle)


def test_a_reservation_is_billed_for_nodes_that_do_not_run_and_nobody_knows_for_how_many() -> None:
    reserved = nodes(reservationAffinity={"consumeReservationType": "SPECIFIC_RESERVATION"})
    found = costs(cluster(), reserved)
    waiting = line(found, "reserved and not running")
    assert (waiting.idle_hourly, waiting.most_hourly) == (None, 0.0)
    assert not found.idle.complete
    assert found.most.complete
    assert str(found.idle).startswith("at least $")
    assert any("whether its nodes run or not" in note for one in found.lines for note in one.notes)


def test_a_reservation_that_is_always_used_has_nothing_unknown() -> None:
    config = {"reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}}
    props = {"autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 3}, "nodeConfig": config}
    assert costs(cluster(), pool(props)).idle.complete


@pytest.mark.parametrize(("size", "expected"), [(2, (1, 0)), (5, (4, 2)), (1, (0, 0)), (UNKNOWN, (None, 0))])
def test_a_reservation_that_the_program_makes_has_a_size(size: Any, expected: tuple[int | None, int]) -> None:
    affinity = {"consumeReservationType": "SPECIFIC_RESERVATION", "values": ["projects/p/reservations/mine"]}
    declared = resource(
        "gcp:compute/reservation:Reservation", "mine", {"name": "mine", "specificReservation": {"count": size}}
    )
    found = costs(cluster(), nodes(reservationAffinity=affinity), declared)
    assert counted(found, "reserved and not running") == expected


def test_flex_start_counts_gpus_and_starts_from_nothing() -> None:
    config = {
        "machineType": "a3-ultragpu-8g",
        "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}],
        "flexStart": True,
    }
    found = costs(cluster(), pool({"autoscaling": {"totalMaxNodeCount": 2}, "nodeConfig": config}))
    gpus = line(found, "GPUs of a3-ultragpu-8g")
    assert (gpus.idle, gpus.most) == (0, 16)
    assert gpus.most_hourly == pytest.approx(16 * 5.3)
    assert gpus.mode == "flex-start"


def test_a_pool_of_unknown_terms_has_no_price() -> None:
    found = costs(cluster(), nodes(spot=UNKNOWN))
    assert line(found, "nobody knows how").rate is None
    assert not found.idle.complete


def test_a_reserved_machine_that_is_not_sold_on_demand_costs_calendar_mode() -> None:
    config = {
        "machineType": "a4-highgpu-8g",
        "guestAccelerators": [{"type": "nvidia-b200", "count": 8}],
        "reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"},
    }
    found = next(one for one in costs(cluster(), nodes(**config)).lines if one.kind == "nodes")
    assert found.idle_hourly == pytest.approx(90.216)
    assert any("calendar" in note for note in found.notes)


# ---------------------------------------------------------------- what a node buys


def test_an_n1_node_buys_its_machine_and_its_gpus() -> None:
    found = costs(
        cluster(),
        nodes(machineType="n1-standard-8", guestAccelerators=[{"type": "nvidia-tesla-t4", "count": 2}]),
    )
    assert counted(found, "n1-standard-8") == (1, 3)
    assert counted(found, "nvidia-tesla-t4") == (2, 6)
    assert sum(one.idle_hourly or 0 for one in found.lines if one.kind == "nodes") == pytest.approx(1.079998)


def test_a_tpu_node_buys_its_chips() -> None:
    found = costs(cluster(), nodes(machineType="ct6e-standard-4t", guestAccelerators=None))
    assert counted(found, "TPU v6e chips") == (4, 12)
    assert line(found, "TPU v6e").idle_hourly == pytest.approx(10.8)


def test_tpu_flex_start_has_no_price() -> None:
    found = costs(cluster(), nodes(machineType="ct6e-standard-4t", guestAccelerators=None, flexStart=True))
    assert line(found, "TPU v6e").rate is None
    assert "unknown" not in str(found.idle)
    assert str(found.idle).startswith("at least")


def test_chosen_local_ssds_are_billed_and_bundled_ones_are_not() -> None:
    ssd = {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 2}}
    chosen = costs(cluster(), nodes(**ssd, spot=True))
    assert counted(chosen, "local SSDs") == (750, 2250)
    assert line(chosen, "local SSDs").rate is not None
    assert line(chosen, "local SSDs").rate.key == "local-ssd spot us-central1"  # type: ignore[union-attr]
    bundled = costs(cluster(), nodes(machineType="a3-highgpu-8g", **ssd))
    assert not [one for one in bundled.lines if "local SSDs" in one.what]


def test_a_pool_that_names_no_disk_gets_the_default_and_says_so() -> None:
    found = costs(cluster(), nodes(diskType=None, diskSizeGb=None))
    disk = line(found, DISK)
    assert (disk.idle, disk.most) == (100, 300)
    assert disk.notes


def test_a_disk_without_a_price_in_the_region_is_unknown() -> None:
    props = {
        "location": "europe-west4-a",
        "nodeLocations": ["europe-west4-a"],
        "nodeConfig": {"diskType": "hyperdisk-ml"},
    }
    found = costs(cluster({"location": "europe-west4-a"}), pool(props))
    assert line(found, "hyperdisk-ml").rate is None
    assert "GiB of hyperdisk-ml boot disks of pool pool" in found.idle.unknown


def test_prices_are_those_of_the_region_of_the_nodes() -> None:
    props = {"location": "europe-west4-a", "nodeLocations": ["europe-west4-a"]}
    found = costs(cluster({"location": "europe-west4-a"}), pool(props))
    assert line(found, "g2-standard-4").idle_hourly == pytest.approx(0.742916)


# ---------------------------------------------------------------- agreements


def test_an_agreed_price_takes_the_place_of_the_list_price_and_says_so() -> None:
    agreed = {"prices": {"g2-standard-4": {"onDemand": 0.5, "spot": 0.2}, "gke-cluster": {"usd": 0}}}
    found = costs(cluster(), pool(), agreed=agreed)
    machine = line(found, "g2-standard-4")
    assert machine.idle_hourly == 0.5
    assert machine.rate is not None
    assert machine.rate.basis == "agreed"
    assert line(found, "management fee").most_hourly == 0
    assert line(costs(cluster(), nodes(spot=True), agreed=agreed), "g2-standard-4").idle_hourly == 0.2


def test_an_agreed_price_fills_in_what_is_unknown() -> None:
    agreed = {"prices": {"forwarding-rules": {"usd": 0.025}, "v6e": {"flexStart": 1.35}}}
    flex = nodes(machineType="ct6e-standard-4t", guestAccelerators=None, flexStart=True)
    found = costs(cluster(), gateway("gke-l7-regional-external-managed", 443), flex, agreed=agreed)
    assert found.idle.complete
    assert line(found, "TPU v6e").idle_hourly == pytest.approx(4 * 1.35)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(prices=JSON, budget=JSON, measured=JSON)
def test_no_malformed_agreement_breaks_an_estimate(prices: object, budget: object, measured: object) -> None:
    agreed = Agreement.of({"prices": prices, "monthlyBudget": budget, "measuredTokensPerSecond": measured})
    assert all(math.isfinite(usd) and usd >= 0 for modes in agreed.prices.values() for usd in modes.values())
    assert all(speed > 0 for speed in agreed.tokens_per_second.values())


# ---------------------------------------------------------------- invariants


@given(
    fewest=st.integers(0, 50),
    more=st.integers(0, 50),
    machine=st.sampled_from(["g2-standard-4", "a3-ultragpu-8g", "c3-standard-8", "ct6e-standard-4t", "?"]),
    config=st.sampled_from([{}, {"spot": True}, {"flexStart": True}]),
    zone=st.sampled_from(["us-central1-b", "europe-west4-a", "atlantis1-b", "me-west1-a"]),
)
def test_every_amount_is_its_price_times_its_count_and_sums_are_of_lines(
    fewest: int, more: int, machine: str, config: Changes, zone: str
) -> None:
    scaling = {"totalMinNodeCount": fewest, "totalMaxNodeCount": max(fewest + more, 1)}
    given = {"autoscaling": scaling, "location": zone, "nodeLocations": [zone]}
    found = costs(cluster(), pool({**given, "nodeConfig": {"machineType": machine, **config}}), nat())
    for one in found.lines:
        for count, amount in ((one.idle, one.idle_hourly), (one.most, one.most_hourly)):
            if amount:
                assert one.rate is not None
                assert count is not None
                assert amount == pytest.approx(one.rate.hourly * count)
    assert found.idle.hourly == pytest.approx(sum(one.idle_hourly or 0 for one in found.lines))
    assert found.most.hourly == pytest.approx(sum(one.most_hourly or 0 for one in found.lines))
    assert found.idle.hourly <= found.most.hourly + 1e-9
    assert found.most.complete == all(one.most_hourly is not None for one in found.lines)


def test_groups_add_up_to_the_whole() -> None:
    found = costs(cluster(), pool(), pool({"nodeConfig": {"spot": True}}, "other"), nat())
    assert sum(part.idle.hourly for part in found.groups.values()) == pytest.approx(found.idle.hourly)
    assert {name: len(part.lines) for name, part in found.modes.items()} == {"on-demand": 1, "spot": 1}


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [(0, 0, "$0"), (4.5, 0, "$4.50"), (1234.5, 0, "$1,234"), (-20, 0, "-$20"), (0.0014, 4, "$0.0014")],
)
def test_amounts_are_written_for_people(amount: float, digits: int, text: str) -> None:
    assert dollars(amount, digits) == text


def test_an_inline_pool_counts_once() -> None:
    inline = cluster(
        {
            "removeDefaultNodePool": None,
            "nodePools": [
                {
                    "name": "gpu",
                    "nodeCount": 2,
                    "nodeConfig": {"machineType": "g2-standard-4", "diskType": "pd-balanced"},
                }
            ],
        }
    )
    found = costs(inline)
    assert counted(found, "g2-standard-4") == (2, 2)
    assert line(found, "g2-standard-4").group == "pool platform/gpu"
