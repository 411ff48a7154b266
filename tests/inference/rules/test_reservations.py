from __future__ import annotations

import pytest

from inference.rules import reservations
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, changed, custom, deployment, findings, node_pool, resource

KEY = "compute.googleapis.com/reservation-name"
FORM = reservations.affinity_names_reservation
CONSUMED = reservations.reservation_is_consumed
MATCHES = reservations.reservation_matches_pool


def affinity(kind: object = "SPECIFIC_RESERVATION", key: object = KEY, values: object = ("h200",)) -> dict:
    listed = list(values) if isinstance(values, tuple) else values
    return changed({"consumeReservationType": kind, "key": key, "values": listed}, {})


def pool(reservation: object, config: dict | None = None, **props: object) -> Resource:
    base = {"machineType": "a3-ultragpu-8g", "guestAccelerators": None, "reservationAffinity": reservation}
    edges = props.pop("property_dependencies", None)
    changes = {"nodeLocations": ["us-central1-b"], **props, "nodeConfig": {**base, **(config or {})}}
    return node_pool("gpus", changes, property_dependencies=edges)


def reservation(name: str = "h200", shape: dict | None = None, **props: object) -> Resource:
    base = {
        "name": name,
        "zone": "us-central1-b",
        "specificReservationRequired": True,
        "specificReservation": {"count": 2, "instanceProperties": {"machineType": "a3-ultragpu-8g", **(shape or {})}},
    }
    return resource("gcp:compute/reservation:Reservation", name, changed(base, props))


# ---------------------------------------------------------------- the affinity's form


@pytest.mark.parametrize(
    "value",
    [
        "h200",
        "projects/owner/reservations/h200",
        "h200/reservationBlocks/block-1",
        "projects/owner/reservations/h200/reservationBlocks/b/reservationSubBlocks/s",
        UNKNOWN,
    ],
)
def test_a_named_reservation_is_silent_in_every_form(value: object) -> None:
    assert not findings(FORM, pool(affinity(values=(value,))))


@pytest.mark.parametrize("kind", ["NO_RESERVATION", "ANY_RESERVATION", "ANY_RESERVATION_THEN_FAIL", "UNSPECIFIED"])
def test_other_affinities_name_nothing(kind: str) -> None:
    assert not findings(
        FORM, pool({"consumeReservationType": kind}), pool({"consumeReservationType": kind, "values": []})
    )
    assert "h200" in findings(FORM, pool(affinity(kind)))[0]
    assert findings(FORM, pool({"consumeReservationType": kind, "key": KEY}))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (affinity(key="reservation-name"), "by the key"),
        (affinity(key=None), "by the key"),
        (affinity(values=()), "names no reservation"),
        (affinity(values=None), "names no reservation"),
        (affinity(values=("a", "b")), "names 2 reservations"),
        (affinity(values=("projects/p/zones/us-central1-b/reservations/h200",)), "no form that GKE reads"),
        (affinity(values=("https://www.googleapis.com/compute/v1/projects/p/zones/z/reservations/r",)), "no form"),
        (affinity("SPECIFIC", values=None), "does not know"),
    ],
)
def test_a_malformed_affinity_is_found(broken: dict, words: str) -> None:
    found = findings(FORM, pool(broken))
    assert len(found) == 1, found
    assert words in found[0]


def test_a_block_without_its_zone_is_found() -> None:
    block = affinity(values=("h200/reservationBlocks/b",))
    assert "one zone" in findings(FORM, pool(block, nodeLocations=None))[0]
    assert not findings(FORM, pool(block, nodeLocations=None, location="us-central1-b"))


def test_unknown_parts_of_an_affinity_are_silent() -> None:
    assert not findings(
        FORM, pool(UNKNOWN), pool(affinity(key=UNKNOWN, values=UNKNOWN)), pool(affinity(kind=UNKNOWN)), pool(None)
    )


# ---------------------------------------------------------------- use


def test_a_reservation_that_a_pool_names_is_silent() -> None:
    assert not findings(CONSUMED, reservation(), pool(affinity()))
    assert not findings(CONSUMED, reservation(), pool(affinity(values=("projects/p/reservations/h200",))))
    assert not findings(CONSUMED, reservation(), pool(affinity(values=("h200/reservationBlocks/b",))))


@pytest.mark.parametrize("other", [{"consumeReservationType": "ANY_RESERVATION"}, None, affinity(values=("h100",))])
def test_a_reservation_that_nobody_names_is_found(other: object) -> None:
    found = findings(CONSUMED, reservation(), pool(other))
    assert len(found) == 1
    assert '"h200"' in found[0]


def test_a_reservation_named_by_an_edge_is_silent() -> None:
    held = reservation(name="auto")
    linked = pool(affinity(values=(UNKNOWN,)), property_dependencies={"nodeConfig": [held]})
    assert not findings(CONSUMED, held, linked)


def test_a_name_that_is_not_known_silences() -> None:
    assert not findings(CONSUMED, reservation(), pool(affinity(values=UNKNOWN)))


def test_a_pool_inside_a_cluster_uses_a_reservation() -> None:
    inline = {"name": "inner", "nodeConfig": {"reservationAffinity": affinity()}}
    assert not findings(CONSUMED, reservation(), resource(CLUSTER, "c", {"nodePools": [inline]}))


def test_reservations_for_others_are_silent() -> None:
    plain = pool(None)
    assert not findings(CONSUMED, reservation())
    assert not findings(CONSUMED, reservation(specificReservationRequired=False), plain)
    assert not findings(CONSUMED, reservation(shareSettings={"shareType": "SPECIFIC_PROJECTS"}), plain)
    using = {"specificReservation": {"key": KEY, "values": ["h200"]}, "type": "SPECIFIC_RESERVATION"}
    vm = resource("gcp:compute/instance:Instance", "vm", {"reservationAffinity": using})
    assert not findings(CONSUMED, reservation(), plain, vm)
    named = {"priorities": [{"reservations": {"specific": [{"name": "h200"}]}}]}
    assert not findings(CONSUMED, reservation(), plain, custom("cloud.google.com/v1", "ComputeClass", "h", named))
    selecting = deployment(pod={"nodeSelector": {"cloud.google.com/reservation-name": "h200"}})
    assert not findings(CONSUMED, reservation(), plain, selecting)


# ---------------------------------------------------------------- shape


def test_a_pool_of_the_same_shape_is_silent() -> None:
    assert not findings(MATCHES, reservation(), pool(affinity(), initialNodeCount=2))


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (reservation(zone="us-central1-a"), "lies in us-central1-a"),
        (reservation(shape={"machineType": "a3-megagpu-8g"}), "holds a3-megagpu-8g"),
        (reservation(specificReservationRequired=None), "specificReservationRequired"),
        (reservation(specificReservation={"count": 1}), "holds 1 machines"),
    ],
)
def test_a_reservation_of_another_shape_is_found(held: Resource, words: str) -> None:
    found = findings(MATCHES, held, pool(affinity(), initialNodeCount=2))
    assert len(found) == 1, found
    assert words in found[0]


T4 = {"type": "nvidia-tesla-t4", "count": 1}


@pytest.mark.parametrize(
    ("held", "wanted", "same"),
    [
        ([{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 1}], [T4], True),
        (
            [{"acceleratorType": "projects/p/zones/z/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 1.0}],
            [T4],
            True,
        ),
        ([{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 2}], [T4], False),
        ([], [T4], False),
        ([{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 1}], [], False),
        (UNKNOWN, [T4], True),
    ],
)
def test_attached_gpus_are_compared(held: object, wanted: list, same: bool) -> None:
    shape = {"machineType": "n1-standard-8", "guestAccelerators": held}
    own = pool(affinity(), {"machineType": "n1-standard-8", "guestAccelerators": wanted})
    assert bool(findings(MATCHES, reservation(shape=shape), own)) is not same


def test_gpus_that_come_with_the_machine_need_not_be_repeated() -> None:
    gpus = [{"type": "nvidia-h200-141gb", "count": 8}]
    assert not findings(MATCHES, reservation(), pool(affinity(), {"guestAccelerators": gpus}))


def test_local_ssds_are_compared_where_they_are_chosen() -> None:
    disks = [{"diskSizeGb": 375, "interface": "NVME"}]
    chosen = {"machineType": "g2-standard-24", "ephemeralStorageLocalSsdConfig": {"localSsdCount": 2}}
    shape = {"machineType": "g2-standard-24", "localSsds": disks}
    assert "1 local SSDs" in findings(MATCHES, reservation(shape=shape), pool(affinity(), chosen))[0]
    assert not findings(MATCHES, reservation(shape={**shape, "localSsds": disks * 2}), pool(affinity(), chosen))
    bundled = {"ephemeralStorageLocalSsdConfig": {"localSsdCount": 32}}
    assert not findings(MATCHES, reservation(), pool(affinity(), bundled))


def test_unknown_properties_of_a_reservation_are_silent() -> None:
    shape = {"machineType": UNKNOWN, "localSsds": UNKNOWN}
    vague = reservation(zone=UNKNOWN, shape=shape, specificReservationRequired=UNKNOWN)
    assert not findings(MATCHES, vague, pool(affinity()))
