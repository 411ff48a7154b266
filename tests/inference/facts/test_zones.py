import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts.machines import ATTACHABLE, MACHINES
from inference.facts.tpus import GENERATIONS
from inference.facts.zones import is_region, is_zone, offered, region_of

ZONES = sorted(
    {zone for kind in MACHINES.values() for zone in (kind.zones or frozenset()) | kind.zones_seen}
    | {zone for row in GENERATIONS.values() for zone in row.zones or ()}
    | {zone for gpu in ATTACHABLE.values() for zone in gpu.zones_seen}
)


@pytest.mark.parametrize("name", ["us-central1-b", "northamerica-northeast1-c", "us-central1-ai1a", "europe-west10-a"])
def test_zones_are_recognized(name: str) -> None:
    assert is_zone(name)
    assert not is_region(name)


@pytest.mark.parametrize("name", ["us-central1", "europe-west10", "me-central2"])
def test_regions_are_recognized(name: str) -> None:
    assert is_region(name)
    assert not is_zone(name)


@pytest.mark.parametrize(
    "name", ["", "us", "us-central", "us-central1-", "us-central1-bb", "US-central1-b", "us_central1_b"]
)
def test_other_names_are_neither(name: str) -> None:
    assert not is_zone(name)
    assert not is_region(name)


@given(st.sampled_from(ZONES))
def test_a_zone_lies_in_a_region(zone: str) -> None:
    region = region_of(zone)
    assert is_region(region)
    assert zone.startswith(f"{region}-")


def test_a_region_has_no_region() -> None:
    with pytest.raises(ValueError, match="us-central1-b"):
        region_of("us-central1")


H200 = {"zones": frozenset({"us-central1-b"}), "regions": frozenset({"us-central1", "us-west1"})}


@pytest.mark.parametrize(
    ("zone", "answer"),
    [
        ("us-central1-b", True),
        ("us-central1-a", False),
        ("us-west1-a", None),
        ("europe-west4-a", False),
        ("us-central1-ai1a", None),
    ],
)
def test_an_offer_is_refused_only_where_the_lists_say_so(zone: str, *, answer: bool | None) -> None:
    assert offered(zone, **H200) is answer


def test_without_lists_nothing_is_refused() -> None:
    assert offered("us-central1-b", zones=None, regions=None) is None


def test_with_regions_alone_a_zone_stays_open() -> None:
    assert offered("us-central1-b", zones=None, regions=frozenset({"us-central1"})) is None
    assert offered("us-east1-b", zones=None, regions=frozenset({"us-central1"})) is False
