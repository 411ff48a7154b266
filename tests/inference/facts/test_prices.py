"""Prices: rows with sources, sums that add up, and nothing where nothing is known."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts import prices
from inference.facts.machines import MACHINES, machine
from inference.facts.prices import Price, Terms
from inference.facts.sources import SOURCES, keys
from inference.facts.tpus import GENERATIONS

ROWS = tuple(prices.every())
IOWA = "us-central1"


def usd(price: Price | None) -> float:
    assert price is not None
    return price.usd


def test_every_row_names_its_source_date_basis_and_unit() -> None:
    assert len(ROWS) > 800
    for row in ROWS:
        assert row.basis, row.key
        assert row.unit, row.key
        assert keys(row.source), row.key
        assert all(key in SOURCES for key in keys(row.source)), row.key
        assert row.date, row.key


def test_rows_are_positive_unique_and_frozen() -> None:
    assert all(row.usd > 0 for row in ROWS)
    assert len({(row.key, row.unit) for row in ROWS}) == len(ROWS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ROWS[0].usd = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("g2-standard-4", 0.706832),
        ("a2-highgpu-1g", 3.673385),
        ("a2-ultragpu-8g", 40.550383),
        ("a3-highgpu-8g", 88.49),
        ("a3-megagpu-8g", 93.400713),
        ("a3-ultragpu-8g", 84.806908),
        ("g4-standard-48", 4.49993),
        ("e2-standard-4", 0.134023),
    ],
)
def test_a_machine_costs_what_the_price_page_says(name: str, expected: float) -> None:
    assert usd(prices.node(name, IOWA, Terms.ON_DEMAND)) == expected


def test_a_t4_node_costs_its_machine_and_its_gpu() -> None:
    node = usd(prices.node("n1-standard-4", IOWA, Terms.ON_DEMAND))
    gpu = usd(prices.gpu("nvidia-tesla-t4", IOWA, Terms.ON_DEMAND))
    assert node + gpu == pytest.approx(0.539999)


@pytest.mark.parametrize(("generation", "expected"), [("v5e", 1.2), ("v5p", 4.2), ("v6e", 2.7), ("tpu7x", 12.0)])
def test_a_chip_costs_what_the_price_page_says(generation: str, expected: float) -> None:
    assert usd(prices.chip(generation, IOWA, Terms.ON_DEMAND)) == expected


WHOLE = [
    row
    for row in ROWS
    if row.terms is Terms.ON_DEMAND and row.part is not None and row.basis == "machine total" and not row.doubts
]


@pytest.mark.parametrize("row", WHOLE, ids=lambda row: row.key)
def test_a_whole_machine_costs_its_parts(row: Price) -> None:
    kind = machine(row.item)
    assert kind is not None
    assert kind.accelerator is not None
    gpu = usd(prices.gpu(kind.accelerator, row.region, Terms.ON_DEMAND))
    ssd = prices.storage("local-ssd", row.region)
    assert ssd is not None
    bundled = (kind.local_ssds or 0) * 375 * ssd.hourly
    assert row.part is not None
    assert row.part + kind.gpus * gpu + bundled == pytest.approx(row.usd, rel=0.002)


def test_the_sums_cover_most_whole_machines() -> None:
    assert len(WHOLE) > 120


SPOT = [row for row in ROWS if row.terms is Terms.SPOT]


def test_spot_costs_less_than_on_demand_and_is_doubted() -> None:
    listed = {(row.item, row.region): row for row in ROWS if row.terms is Terms.ON_DEMAND}
    compared = [(row, listed[row.item, row.region]) for row in SPOT if (row.item, row.region) in listed]
    assert len(compared) > 350
    assert all(spot.usd < whole.usd for spot, whole in compared)
    assert all("snapshot" in " ".join(row.doubts) for row in SPOT)


def test_a_tpu_price_says_that_the_host_is_an_assumption() -> None:
    assert all(any("host" in doubt for doubt in row.doubts) for row in ROWS if row.unit == "chip-hour")


def test_what_is_sold_by_booking_only_has_no_price_on_demand() -> None:
    assert not MACHINES["a4-highgpu-8g"].on_demand
    assert not [row for row in ROWS if row.item == "a4-highgpu-8g" and row.terms is Terms.ON_DEMAND]


def test_the_price_of_calendar_mode_says_that_no_region_is_known() -> None:
    found = prices.node("a4-highgpu-8g", "us-east4", Terms.CALENDAR)
    assert usd(found) == 90.216
    assert found is not None
    assert found.doubts == ("no source says in which region",)


def test_flex_start_is_priced_by_the_gpu_of_the_machine_or_its_family() -> None:
    assert usd(prices.flex_start("a2-highgpu-8g", IOWA)) == 2.0
    assert usd(prices.flex_start("a3-highgpu-8g", IOWA)) == 4.79
    assert prices.flex_start("a3-highgpu-1g", IOWA) is None
    assert prices.flex_start("g2-standard-4", IOWA) is None
    assert prices.flex_start("a3-highgpu-8g", "us-east4") is None


REGIONAL = [row for row in ROWS if row.region != "any"]


@given(row=st.sampled_from(REGIONAL), region=st.sampled_from([None, "", "atlantis-north1", "us-central1-a"]))
def test_a_region_without_a_price_never_borrows_one(row: Price, region: str | None) -> None:
    if row.unit == "node-hour" and row.item != "a4-highgpu-8g":
        assert prices.node(row.item, region, row.terms) is None
    assert prices.gpu(row.item, region, row.terms) is None
    assert prices.chip(row.item, region, row.terms) is None
    assert prices.storage(row.item, region, row.terms) is None
    assert prices.flex_start(row.item, region) is None


@pytest.mark.parametrize("name", ["c3-standard-8", "a4x-highgpu-4g", "gke", "network", "../sources", "", "-"])
def test_a_machine_without_a_table_has_no_price(name: str) -> None:
    assert prices.node(name, IOWA, Terms.ON_DEMAND) is None


def test_a_storage_month_is_730_hours() -> None:
    disk = prices.storage("pd-balanced", IOWA)
    assert disk is not None
    assert disk.hourly * 730 == pytest.approx(0.1)


def test_every_generation_with_prices_is_one_of_gke() -> None:
    assert prices.items("tpus") <= set(GENERATIONS)


def test_importing_prices_reads_no_table() -> None:
    code = "from inference.facts import prices; print(prices._table.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == "0"
