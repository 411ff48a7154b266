"""What a program needs of quotas, reservations and addresses: from its smallest size to its largest, never a guess."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.estimates import capacity, requirements
from inference.estimates.addresses import address_ranges
from inference.estimates.capacity import Need
from inference.estimates.reservations import reservations
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props
from tests.inference.rules.cases import CLUSTER, NODE_POOL, changed, custom, resource

CLOUD = Provider("pulumi:providers:gcp", "cloud", "urn:cloud", Props({"project": "house", "region": "us-central1"}))
RESERVATION = "gcp:compute/reservation:Reservation"


def cluster(props: dict[str, Any] | None = None) -> Resource:
    base = {
        "name": "platform", "location": "us-central1", "subnetwork": "nodes",
        "privateClusterConfig": {"enablePrivateNodes": True}, "removeDefaultNodePool": True,
        "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
    }  # fmt: skip
    return resource(CLUSTER, "platform", changed(base, props or {}), provider=CLOUD)


def pool(props: dict[str, Any] | None = None, name: str = "pool") -> Resource:
    base = {
        "name": name, "cluster": "platform", "location": "us-central1", "nodeLocations": ["us-central1-b"],
        "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3}, "upgradeSettings": {"maxSurge": 0},
        "nodeConfig": {"machineType": "a3-ultragpu-8g", "diskType": "hyperdisk-balanced", "diskSizeGb": 100,
                       "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}]},
    }  # fmt: skip
    return resource(NODE_POOL, name, changed(base, props or {}), provider=CLOUD)


def reserved(name: str = "projects/house/reservations/h200") -> dict[str, Any]:
    affinity = {"consumeReservationType": "SPECIFIC_RESERVATION", "values": [name]}
    return {"nodeConfig": {"reservationAffinity": affinity}}


T4 = {"machineType": "n1-standard-8", "diskType": "pd-balanced",
      "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 2}]}  # fmt: skip


def table(*resources: Resource) -> dict[tuple[str, str], Need]:
    return {(str(need.quota), need.region): need for need in capacity.needs(Stack(resources))}


def amounts(need: Need) -> tuple[float | None, float | None]:
    return need.least, need.most


def test_gpus_are_counted_from_the_fewest_nodes_to_the_most() -> None:
    found = table(cluster(), pool())
    assert amounts(found["GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_H200", "us-central1"]) == (8, 24)
    assert amounts(found["GPUS_ALL_REGIONS", "global"]) == (8, 24)
    assert amounts(found["INSTANCES", "us-central1"]) == (1, 3)
    assert amounts(found["HDB_TOTAL_GB", "us-central1"]) == (100, 300)


def test_a_machine_with_its_own_gpus_takes_no_cpu_quota() -> None:
    assert not [name for name, _ in table(cluster(), pool()) if "CPUS" in name]


def test_a_gpu_beside_n1_takes_the_vcpus_too() -> None:
    found = table(cluster(), pool({"nodeConfig": T4}))
    assert amounts(found["NVIDIA_T4_GPUS", "us-central1"]) == (2, 6)
    assert amounts(found["CPUS", "us-central1"]) == (8, 24)
    assert amounts(found["CPUS_ALL_REGIONS", "global"]) == (8, 24)


def test_the_nodes_of_a_specific_reservation_take_no_accelerator_quota() -> None:
    found = table(cluster(), pool(reserved()))
    assert not [need for need in found.values() if need.quota.unit in {"GPUs", "vCPUs"}]
    assert amounts(found["HDB_TOTAL_GB", "us-central1"]) == (100, 300), "its disks are not reserved"


def test_a_reservation_that_the_program_makes_takes_the_quota_itself() -> None:
    shape = {"instanceProperties": {"machineType": "a3-ultragpu-8g"}, "count": 4}
    made = resource(RESERVATION, "h200", {"zone": "us-central1-b", "specificReservation": shape}, provider=CLOUD)
    found = table(cluster(), pool(reserved()), made)
    assert amounts(found["GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_H200", "us-central1"]) == (32, 32)
    assert amounts(found["RESERVATIONS", "us-central1"]) == (1, 1)
    assert amounts(found["LOCAL-SSD-TOTAL-GB-PER-VM-FAMILY vm_family=A3", "us-central1"]) == (48_000, 48_000)


def test_local_ssds_count_in_the_size_that_the_machine_has() -> None:
    def gigabytes(machine: str, disks: list[dict[str, Any]]) -> list[tuple[float | None, float | None]]:
        shape = {"instanceProperties": {"machineType": machine, "localSsds": disks}, "count": 2}
        made = resource(RESERVATION, "r", {"zone": "us-central1-b", "specificReservation": shape}, provider=CLOUD)
        return [amounts(need) for (name, _), need in table(made).items() if "LOCAL-SSD" in name]

    assert gigabytes("a4x-highgpu-4g", []) == [(24_000, 24_000)]
    assert gigabytes("a4x-highgpu-4g-nolssd", []) == []
    assert gigabytes("n1-standard-8", [{"interface": "NVME"}, {"diskSizeGb": 375}]) == [(1_500, 1_500)]
    assert gigabytes("n1-standard-8", []) == []


@pytest.mark.parametrize("bought", [{"spot": True}, {"flexStart": True}])
def test_spot_and_flex_start_take_preemptible_quota_before_the_standard_one(bought: dict[str, Any]) -> None:
    need = table(cluster(), pool({"nodeConfig": bought}))["PREEMPTIBLE_NVIDIA_H200_GPUS", "us-central1"]
    assert amounts(need) == (8, 24)
    assert str(need.instead) == "GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_H200"


def test_tpu_chips_are_counted_and_not_slices() -> None:
    slice_of_four = {"nodeConfig": {"machineType": "ct6e-standard-4t", "guestAccelerators": None}}
    need = table(cluster(), pool(slice_of_four))["TPUS-PER-TPU-FAMILY tpu_family=CT6E", "us-central1"]
    assert amounts(need) == (4, 12)


def test_two_pools_of_one_kind_add_up() -> None:
    found = table(cluster(), pool(name="one"), pool(name="two"))
    need = found["GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_H200", "us-central1"]
    assert amounts(need) == (16, 48)
    assert len(need.uses) == 2


def test_the_largest_size_of_an_unknown_pool_is_unknown_and_the_known_part_is_kept() -> None:
    open_pool = pool({"autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": UNKNOWN}}, name="open")
    need = table(cluster(), pool(), open_pool)["GPUS_ALL_REGIONS", "global"]
    assert amounts(need) == (16, None)
    assert need.at_least == 24 + 8
    assert need.peak is None


def test_an_upgrade_takes_its_surge_on_top_one_pool_at_a_time() -> None:
    surging = [pool({"upgradeSettings": {"maxSurge": n}}, name=f"p{n}") for n in (1, 2)]
    need = table(cluster(), *surging)["INSTANCES", "us-central1"]
    assert (need.most, need.peak) == (6, 8)


def test_a_pool_that_says_nothing_of_upgrades_surges_by_one() -> None:
    assert table(cluster(), pool({"upgradeSettings": None}))["INSTANCES", "us-central1"].peak == 4


def test_a_blue_green_upgrade_doubles_the_pool() -> None:
    found = table(cluster(), pool({"upgradeSettings": {"strategy": "BLUE_GREEN"}}))
    assert found["INSTANCES", "us-central1"].peak == 6


def test_private_nodes_take_no_external_addresses_and_others_do() -> None:
    assert ("IN_USE_ADDRESSES", "us-central1") not in table(cluster(), pool())
    public = table(cluster({"privateClusterConfig": None}), pool())
    assert amounts(public["IN_USE_ADDRESSES", "us-central1"]) == (1, 3)


def test_a_public_gateway_takes_an_address_and_a_rule_for_each_port() -> None:
    listeners = [{"name": str(port), "port": port, "protocol": "HTTP"} for port in (80, 443)]
    spec = {"gatewayClassName": "gke-l7-regional-external-managed", "listeners": listeners}
    found = table(cluster(), custom("gateway.networking.k8s.io/v1", "Gateway", "inference", spec))
    assert amounts(found["EXTERNAL_MANAGED_FORWARDING_RULES", "us-central1"]) == (2, 2)
    assert amounts(found["IN_USE_ADDRESSES", "us-central1"]) == (1, 1)


def test_networks_count_over_all_regions_and_internal_addresses_not_at_all() -> None:
    networks = [resource("gcp:compute/network:Network", name, {}, provider=CLOUD) for name in "ab"]
    inner = resource("gcp:compute/address:Address", "vip", {"addressType": "INTERNAL"}, provider=CLOUD)
    found = table(*networks, inner)
    assert {key: need.most for key, need in found.items()} == {("NETWORKS", "global"): 2}


def test_the_project_is_the_resources_own_before_its_providers() -> None:
    own = resource("gcp:compute/network:Network", "own", {"project": "other"}, provider=CLOUD)
    assert [need.project for need in capacity.needs(Stack([own]))] == ["other"]


def test_autopilot_and_node_auto_provisioning_are_said_and_not_counted() -> None:
    auto = Stack([cluster({"enableAutopilot": True}), pool()])
    assert not capacity.needs(auto)
    assert "Autopilot" in capacity.open_ends(auto)[0]
    limit = {"resourceType": "nvidia-h100-80gb", "maximum": 16}
    grown = Stack([cluster({"clusterAutoscaling": {"enabled": True, "resourceLimits": [limit]}})])
    assert "nvidia-h100-80gb up to 16" in capacity.open_ends(grown)[0]


def test_accelerators_are_listed_by_kind_and_by_how_they_are_bought() -> None:
    stack = Stack([cluster(), pool(reserved()), pool({"nodeConfig": {"spot": True}}, name="spot"), pool(
        {"nodeConfig": T4}, name="t4")])  # fmt: skip
    rows = {(row.kind, row.mode): (row.least, row.most, row.scarce) for row in capacity.accelerators(stack)}
    assert rows == {
        ("nvidia-h200-141gb", "reservation"): (8, 24, True),
        ("nvidia-h200-141gb", "spot"): (8, 24, True),
        ("nvidia-tesla-t4", "on-demand"): (2, 6, False),
    }


def test_a_pool_whose_purchase_is_unknown_is_neither_counted_nor_forgotten() -> None:
    stack = Stack([cluster(), pool({"nodeConfig": {"spot": UNKNOWN}})])
    assert not [need for need in capacity.needs(stack) if need.quota.unit == "GPUs"]
    assert "is bought is not known" in capacity.open_ends(stack)[0]
    assert [row.mode for row in capacity.accelerators(stack)] == ["unknown"]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 3))
def test_no_size_needs_more_than_the_largest_nor_less_than_the_smallest(least: int, more: int, zones: int) -> None:
    places = [f"us-central1-{letter}" for letter in "abc"[:zones]]
    limits = {"minNodeCount": least, "maxNodeCount": least + more, "totalMinNodeCount": None, "totalMaxNodeCount": None}
    stack = Stack([cluster(), pool({"nodeLocations": places, "autoscaling": limits})])
    for need in capacity.needs(stack):
        assert need.least is not None
        assert need.most is not None
        assert need.peak is not None
        assert need.least <= need.most <= need.peak
    gpus = [need for need in capacity.needs(stack) if need.quota.unit == "GPUs"]
    assert all(amounts(need) == (8 * least * zones, 8 * (least + more) * zones) for need in gpus)


def test_a_reservation_is_named_with_owner_block_and_what_is_looked_for() -> None:
    path = "projects/owner/reservations/h200/reservationBlocks/b1"
    (found,) = reservations(Stack([cluster(), pool(reserved(path))]))
    assert (found.name, found.project, found.shared, found.declared) == ("h200", "owner", True, False)
    assert (found.zones, found.machine_types, found.least, found.most) == (
        ("us-central1-b",),
        ("a3-ultragpu-8g",),
        1,
        3,
    )
    (consumer,) = found.consumers
    assert consumer.block == "/reservationBlocks/b1"
    assert (consumer.accelerator, consumer.gpus, consumer.local_ssds) == ("nvidia-h200-141gb", 8, 32)


def test_two_pools_share_a_reservation() -> None:
    (found,) = reservations(Stack([cluster(), pool(reserved(), name="a"), pool(reserved("h200"), name="b")]))
    assert (found.least, found.most, len(found.consumers), found.shared) == (2, 6, 2, False)


def test_a_compute_class_names_reservations_too() -> None:
    specific = [{"name": "calendar", "project": "owner"}]
    priority = {"machineType": "a4-highgpu-8g", "reservations": {"affinity": "Specific", "specific": specific}}
    spec = {"priorities": [priority]}
    (found,) = reservations(Stack([cluster(), custom("cloud.google.com/v1", "ComputeClass", "fast", spec)]))
    assert (found.name, found.machine_types, found.most) == ("calendar", ("a4-highgpu-8g",), None)


def subnet(block: str = "10.0.0.0/28", pods: str = "10.4.0.0/22") -> Resource:
    second = [{"rangeName": "pods", "ipCidrRange": pods}, {"rangeName": "services", "ipCidrRange": "10.9.0.0/24"}]
    props = {"name": "nodes", "ipCidrRange": block, "secondaryIpRanges": second, "region": "us-central1"}
    return resource("gcp:compute/subnetwork:Subnetwork", "nodes", props, provider=CLOUD)


def test_ranges_say_what_they_hold_and_what_is_needed() -> None:
    rooms = {room.name: room for room in address_ranges(Stack([subnet(), cluster(), pool()]))}
    assert (rooms["nodes"].holds, rooms["nodes"].least, rooms["nodes"].most) == (12, 1, 3)
    assert (rooms["nodes/pods"].holds, rooms["nodes/pods"].unit) == (4, "nodes with 110 pods")
    assert rooms["nodes/services"].holds == 256
    assert all(room.fits for room in rooms.values())


def test_the_pools_of_a_cluster_fill_a_range_together() -> None:
    stack = Stack([subnet(), cluster(), pool(name="one"), pool(name="two")])
    rooms = {room.name: room for room in address_ranges(stack)}
    assert rooms["nodes/pods"].most == 6
    assert rooms["nodes/pods"].fits is False, "each pool alone would find room"
    assert rooms["nodes"].fits


def test_fewer_pods_a_node_make_room_for_more_nodes() -> None:
    rooms = {room.name: room for room in address_ranges(Stack([subnet(), cluster(), pool({"maxPodsPerNode": 32})]))}
    assert (rooms["nodes/pods"].holds, rooms["nodes/pods"].unit) == (16, "nodes with 32 pods")


def test_an_unknown_size_leaves_the_answer_open() -> None:
    open_pool = pool({"autoscaling": {"totalMaxNodeCount": UNKNOWN}})
    rooms = address_ranges(Stack([subnet(), cluster(), open_pool]))
    assert {room.fits for room in rooms if room.unit != "Services"} == {None}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5) | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)
PLACES = [
    (CLUSTER, ("location", "subnetwork", "clusterAutoscaling", "ipAllocationPolicy", "privateClusterConfig")),
    (NODE_POOL, ("nodeConfig", "autoscaling", "nodeLocations", "upgradeSettings", "networkConfig", "cluster")),
    (RESERVATION, ("zone", "specificReservation", "name")),
    ("gcp:compute/subnetwork:Subnetwork", ("ipCidrRange", "secondaryIpRanges", "region")),
    ("gcp:compute/disk:Disk", ("type", "size", "zone")),
    ("gcp:compute/routerNat:RouterNat", ("region", "natIpAllocateOption")),
]


@given(st.data())
def test_whatever_a_program_says_nothing_is_raised(data: st.DataObject) -> None:
    found = [cluster(), pool(reserved()), subnet()]
    for token, keys in PLACES:
        base = {CLUSTER: cluster, NODE_POOL: pool}.get(token)
        props = {key: data.draw(ANYTHING) for key in data.draw(st.sets(st.sampled_from(keys)))}
        inner = {"nodeConfig": {key: data.draw(ANYTHING) for key in ("machineType", "reservationAffinity", "spot")}}
        if base is not None:
            laid = {**base().props.raw(), **(inner if token == NODE_POOL and data.draw(st.booleans()) else {}), **props}
            found.append(resource(token, "odd", laid, provider=CLOUD))
        else:
            found.append(resource(token, "odd", props, provider=CLOUD))
    stack = Stack(found)
    assert all(need.region for need in capacity.needs(stack))
    assert isinstance(capacity.open_ends(stack), tuple)
    assert all(row.region for row in capacity.accelerators(stack))
    assert all(found.name for found in reservations(stack))
    assert all(room.holds >= 0 for room in address_ranges(stack))
    for ask in (requirements.apis, requirements.permissions, requirements.machines, requirements.versions):
        assert isinstance(ask(stack), tuple)
