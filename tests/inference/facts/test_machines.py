import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts import prices
from inference.facts.fabrics import FABRICS, network_profile
from inference.facts.gpus import GPUS
from inference.facts.machines import ATTACHABLE, MACHINES, Machine, allocatable, boot_disk_fits, machine
from inference.facts.zones import is_region, is_zone, region_of


def known(name: str) -> Machine:
    found = machine(name)
    assert found is not None, name
    return found


each_machine = pytest.mark.parametrize("kind", MACHINES.values(), ids=lambda kind: kind.name)


@each_machine
def test_every_accelerator_is_a_known_gpu(kind: Machine) -> None:
    assert kind.accelerator in GPUS


@each_machine
def test_a_machine_with_a_fabric_has_a_nic_for_each_of_its_networks(kind: Machine) -> None:
    if kind.fabric is None:
        return
    fabric = kind.fabric
    assert kind.nics == fabric.gpu_networks // fabric.functions_per_nic + fabric.host_networks + 1


@pytest.mark.parametrize(
    ("name", "nics"),
    # https://cloud.google.com/compute/docs/gpus: network interfaces of each machine type.
    [
        ("a3-highgpu-8g", 5),
        ("a3-megagpu-8g", 9),
        ("a3-ultragpu-8g", 10),
        ("a4-highgpu-8g", 10),
        ("a4x-highgpu-4g", 6),
        ("a4x-maxgpu-4g-metal", 6),
        ("a3-edgegpu-8g", 5),
        ("g4-standard-384", 2),
        ("g4-standard-48", 1),
    ],
)
def test_nics_are_as_published(name: str, nics: int) -> None:
    assert known(name).nics == nics


@each_machine
def test_the_name_tells_the_number_of_gpus(kind: Machine) -> None:
    suffix = kind.name.removesuffix("-nolssd").removesuffix("-metal").rpartition("-")[2]
    if suffix.endswith("g"):
        assert kind.gpus == int(suffix[:-1])


@each_machine
def test_local_ssds_are_bundled_or_chosen_and_never_both(kind: Machine) -> None:
    assert kind.local_ssds is None or kind.local_ssd_max is None
    if kind.name.endswith("-nolssd"):
        assert kind.local_ssds == 0
        assert known(kind.name.removesuffix("-nolssd")).local_ssds


@each_machine
def test_what_only_reservations_give_is_not_on_demand(kind: Machine) -> None:
    assert not (kind.reservation_only and kind.on_demand)


def test_the_machines_without_on_demand_capacity_are_as_published() -> None:
    # https://cloud.google.com/compute/docs/gpus: A3 Ultra, A4, A4X and the small A3 High machines.
    families = {kind.family for kind in MACHINES.values() if not kind.on_demand}
    small = {f"a3-highgpu-{n}g" for n in (1, 2, 4)}

    assert families == {"a3-high", "a3-ultra", "a4", "a4x", "a4x-max"}
    assert {k.name for k in MACHINES.values() if k.family == "a3-high" and not k.on_demand} == small
    assert {k.family for k in MACHINES.values() if k.reservation_only} == {"a4x", "a4x-max"}


@each_machine
def test_zones_lie_in_the_regions_that_sell_the_machine(kind: Machine) -> None:
    zones = (kind.zones or frozenset()) | kind.zones_seen
    assert all(is_zone(zone) for zone in zones)
    assert all(is_region(region) for region in kind.regions or ())
    if kind.regions is not None:
        assert {region_of(zone) for zone in zones} <= kind.regions


def test_a_region_that_sells_a_machine_is_not_refused_because_no_zone_of_it_is_known() -> None:
    # github.com/Cyclenerd/google-cloud-pricing-cost-calculator @dac31281 tools/machinetyperegion.csv
    assert known("a3-highgpu-8g").offered_in("asia-northeast3-b") is None
    assert known("a3-highgpu-8g").offered_in("us-central1-a") is True
    assert known("a3-highgpu-8g").offered_in("us-south1-a") is False
    assert known("a2-megagpu-16g").offered_in("us-central1-a") is None
    assert known("a2-megagpu-16g").offered_in("us-west1-b") is False
    assert known("a2-highgpu-8g").offered_in("us-west1-b") is True


def test_no_region_with_a_price_is_refused_as_a_whole() -> None:
    sold = {(row.item, row.region) for row in prices.every() if row.item in MACHINES and is_region(row.region)}
    assert len(sold) > 100
    refused = [
        (name, region)
        for name, region in sold
        if all(MACHINES[name].offered_in(f"{region}-{letter}") is False for letter in "abcdf")
    ]
    assert not refused


def test_arm_machines_are_arm() -> None:
    assert known("a4x-highgpu-4g").arch == "arm64"
    assert known("c4a-standard-8").arch == "arm64"
    assert known("a4-highgpu-8g").arch == "amd64"


@pytest.mark.parametrize(
    ("name", "vcpus", "memory"),
    # github.com/Cyclenerd/google-cloud-pricing-cost-calculator @dac31281f2a4 tools/machinetypes.csv
    [
        ("n1-standard-1", 1, 3.75),
        ("n1-standard-8", 8, 30),
        ("n1-highcpu-2", 2, 1.8),
        ("n1-highmem-16", 16, 104),
        ("e2-medium", 2, 4),
        ("e2-standard-4", 4, 16),
        ("e2-highcpu-32", 32, 32),
        ("n2-highmem-128", 128, 864),
        ("n2d-highcpu-224", 224, 224),
        ("c3-highcpu-176", 176, 352),
        ("c3d-highcpu-360", 360, 708),
        ("c4-standard-2", 2, 7),
        ("c4-highmem-4-lssd", 4, 31),
        ("c4d-standard-16", 16, 62),
        ("t2d-standard-60", 60, 240),
    ],
)
def test_general_machines_are_as_the_api_lists_them(name: str, vcpus: int, memory: float) -> None:
    kind = known(name)
    assert (kind.name, kind.vcpus, kind.memory_gb, kind.gpus) == (name, vcpus, memory, 0)


@pytest.mark.parametrize(
    "name", ["n1-standard-3", "e2-standard-64", "x9-standard-4", "n1-standard", "", "ct6e-standard-4t"]
)
def test_a_machine_that_is_not_listed_is_unknown(name: str) -> None:
    assert machine(name) is None


def test_custom_machines_tell_their_shape() -> None:
    assert (known("n2-custom-6-20480").vcpus, known("n2-custom-6-20480").memory_gb) == (6, 20)
    assert known("custom-4-16384").family == "n1"


def test_only_n1_machines_are_given_gpus() -> None:
    assert [gpu.accelerator for gpu in known("n1-standard-8").attachable] == list(ATTACHABLE)
    assert known("n2-standard-8").attachable == ()
    assert set(ATTACHABLE) <= set(GPUS)


def test_attached_t4s_bound_the_vcpus_of_every_count() -> None:
    t4 = ATTACHABLE["nvidia-tesla-t4"]
    assert t4.max_vcpus is not None
    assert tuple(t4.max_vcpus) == t4.counts


@pytest.mark.parametrize(
    ("name", "disk", "fits"),
    [
        ("a4x-highgpu-4g", "pd-balanced", False),  # NVIDIA/aicr pull request 2338
        ("a3-megagpu-8g", "pd-standard", False),  # skypilot pull request 5351
        ("a3-megagpu-8g", "pd-ssd", True),
        ("a4-highgpu-8g", "hyperdisk-balanced", True),
        ("n4-standard-8", "pd-ssd", False),
        ("g2-standard-4", "hyperdisk-balanced", None),
        ("g4-standard-48", "pd-ssd", False),  # Snapchat/GiGL pull request 393
        ("n1-standard-8", "hyperdisk-balanced", False),  # nextflow-io/nextflow pull request 6841
        ("e2-standard-4", "hyperdisk-balanced", False),
    ],
)
def test_boot_disks_fit_or_not_or_nobody_knows(name: str, disk: str, *, fits: bool | None) -> None:
    assert boot_disk_fits(known(name), disk) is fits


@each_machine
def test_a_machine_boots_from_the_disks_it_prefers(kind: Machine) -> None:
    assert kind.boot_disk_types
    assert all(boot_disk_fits(kind, disk) for disk in kind.boot_disk_types)


def test_allocatable_follows_the_published_formula() -> None:
    # https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes, by hand for 4 vCPU and 16 GiB:
    # memory 16 - (1 + 0.8 + 0.8) - 100 MiB, CPU 4 - (0.06 + 0.01 + 0.01).
    cpu, memory = allocatable(known("e2-standard-4"))
    assert cpu == pytest.approx(3.92)
    assert memory == pytest.approx(16 - 2.6 - 100 / 1024)


def test_a_large_node_keeps_two_percent_of_its_upper_memory() -> None:
    # 150 GiB: 9.8577 GiB reserved, as the public calculator hatemosphere/gke-node-allocatable-memory-calculator prints.
    _, memory = allocatable(known("n2-custom-40-153600"))
    assert 150 - memory == pytest.approx(9.8577, abs=1e-3)


def test_shared_cores_leave_940_millicores() -> None:
    assert allocatable(known("e2-medium"))[0] == pytest.approx(0.94)


@given(st.sampled_from(sorted(MACHINES)))
def test_pods_get_less_than_the_machine_has(name: str) -> None:
    kind = known(name)
    cpu, memory = allocatable(kind)
    assert 0 < cpu < kind.vcpus
    assert 0.7 * kind.memory_gb < memory < kind.memory_gb


def test_a_pod_on_h200_takes_eth2_to_eth9_for_rdma() -> None:
    # https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom
    fabric = FABRICS["roce"]
    assert fabric.interfaces == (("eth0", "default"), *((f"eth{n + 2}", f"rdma-{n}") for n in range(8)))
    assert fabric.network_names == ("gvnic-1", *(f"rdma-{n}" for n in range(8)))


def test_a_pod_on_gb200_takes_eth2_to_eth5() -> None:
    # container-engine-accelerators gpudirect-rdma/nccl-test-imex-a4x.yaml
    assert FABRICS["roce-a4x"].interfaces[1:] == tuple((f"eth{n + 2}", f"rdma-{n}") for n in range(4))


@pytest.mark.parametrize(("key", "count"), [("tcpxo", 8), ("tcpx", 4)])
def test_a_pod_with_tcpx_takes_eth1_upward(key: str, count: int) -> None:
    # cluster-toolkit examples/gke-a3-megagpu and gke-a3-highgpu
    fabric = FABRICS[key]
    assert fabric.interfaces[1:] == tuple((f"eth{n}", f"vpc{n}") for n in range(1, count + 1))
    assert fabric.mtu == 8244
    assert fabric.device_mode == "NetDevice"


def test_bare_metal_gb300_has_no_kubernetes_networks() -> None:
    fabric = FABRICS["roce-metal"]
    assert (fabric.network_names, fabric.interfaces) == ((), ())
    assert fabric.dranet


def test_rdma_profiles_are_named_after_the_zone() -> None:
    assert network_profile("us-central1-b", FABRICS["roce"]) == "us-central1-b-vpc-roce"
    assert network_profile("us-central1-b", FABRICS["roce-metal"]) == "us-central1-b-vpc-roce-metal"
    assert network_profile("us-central1-b", FABRICS["tcpxo"]) is None


@pytest.mark.parametrize("key", FABRICS)
def test_rdma_and_profiles_go_together(key: str) -> None:
    fabric = FABRICS[key]
    assert (fabric.device_mode == "RDMA") == (fabric.network_profile_suffix is not None) == (fabric.nic_type == "MRDMA")
    assert len(fabric.gpu_network_names) == (fabric.gpu_networks if fabric.multi_network else 0)
