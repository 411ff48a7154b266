"""TPU generations and their slices: which topologies there are, and how many nodes each takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal, TypeVar

from inference.facts.zones import offered

__all__ = ["GENERATIONS", "Slice", "TpuGeneration", "generation_of_accelerator", "generation_of_machine", "slice_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TpuGeneration:
    """One TPU generation as GKE offers it."""

    name: str
    accelerator: str
    """Value of the node label ``cloud.google.com/gke-tpu-accelerator``."""
    machine_types: Mapping[str, int]
    """Machine type to chips of one VM."""
    host_shapes: Mapping[str, tuple[int, float]]
    """Machine type to vCPUs and GiB of memory of one VM, where known."""
    hbm_gib: int
    """Memory of one chip."""
    devices_per_chip: int
    """Devices that a program sees for each chip."""
    dimensions: Literal[2, 3]
    listed: tuple[str, ...]
    """The topologies that the documentation lists one by one."""
    max_chips: int
    """The largest slice."""
    zones: frozenset[str] | None
    regions: frozenset[str] | None
    """Regions with a price; wider than the zones, and no proof of capacity."""
    zones_seen: frozenset[str] = frozenset()
    """Zones that another list names, for a single tenant or with a price: left open, neither offered nor refused."""
    flex_start_zones: frozenset[str] | None
    """Zones with flex-start as a page of 2025-26 lists them; empty where it is not supported, None where unknown."""
    boot_disk_type: str | None
    """The boot disk type the machine needs; None where GKE's default is not known to fail."""
    placement: Literal["compact", "workload-policy"]
    """What a multi-host pool needs: a COMPACT placement with the topology, or a HIGH_THROUGHPUT workload policy.

    A single-host pool takes neither.
    """
    min_gke: str | None
    """Lowest GKE version on Standard; None where no source states one."""
    source: str

    @property
    def custom_topologies(self) -> bool:
        """Beyond the list, any A <= B <= C in multiples of 4 will do."""
        return self.dimensions == 3

    def single_host_topology(self, chips: int) -> str | None:
        """Return the topology that a pool of single VMs with so many chips shows; None where there is no such VM."""
        fitting = (topology for topology in self.listed if prod(map(int, topology.split("x"))) == chips)
        return next(fitting, None) if chips in self.machine_types.values() else None

    def offered_in(self, zone: str) -> bool | None:
        """Tell whether the zone offers this generation; None where unknown. Raises ValueError for no zone."""
        found = offered(zone, zones=self.zones, regions=self.regions)
        return None if found is False and zone in self.zones_seen else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Chips wired together: the unit a pool holds, and one replica of a model takes."""

    generation: TpuGeneration
    topology: str
    machine_type: str
    chips: int
    nodes: int

    @property
    def multi_host(self) -> bool:
        return self.nodes > 1

    @property
    def chips_per_node(self) -> int:
        return self.chips // self.nodes

    @property
    def devices(self) -> int:
        """Devices that a program sees in the whole slice."""
        return self.chips * self.generation.devices_per_chip

    @property
    def accelerator_type(self) -> str:
        """Value of ``TPU_ACCELERATOR_TYPE``: some generations are named by chips, others by cores, two of a chip."""
        name, per_chip = _ACCELERATOR_TYPES[self.generation.name]
        return f"{name}-{self.chips * per_chip}"

    @property
    def hbm_gib(self) -> int:
        """Memory of the whole slice."""
        return self.chips * self.generation.hbm_gib


_ACCELERATOR_TYPES = {
    "v4": ("v4", 2),
    "v5e": ("v5litepod", 1),
    "v5p": ("v5p", 2),
    "v6e": ("v6e", 1),
    "tpu7x": ("tpu7x", 2),
}
"""Name and units of a chip in the type of a slice (source XPK)."""

_FLAT = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8")
_CUBE_CHIPS = 64


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


V = TypeVar("V")


def _map(**rows: V) -> Mapping[str, V]:
    return MappingProxyType({name.replace("_", "-"): value for name, value in rows.items()})


_ROWS = (
    TpuGeneration(
        name="v4",
        accelerator="tpu-v4-podslice",
        machine_types=_map(ct4p_hightpu_4t=4),
        host_shapes=_map(),
        hbm_gib=32,
        devices_per_chip=1,
        dimensions=3,
        listed=(*_CUBES, "8x8x12", "8x8x16", "8x16x16"),
        max_chips=4096,
        zones=_names("us-central2-b"),
        regions=None,
        flex_start_zones=frozenset(),
        boot_disk_type=None,
        placement="compact",
        min_gke=None,
        source="XPK; CT; TPUINFO; TPUZONES; GKETPUS",
    ),
    TpuGeneration(
        name="v5e",
        accelerator="tpu-v5-lite-podslice",
        machine_types=_map(ct5lp_hightpu_1t=1, ct5lp_hightpu_4t=4, ct5lp_hightpu_8t=8),
        host_shapes=_map(ct5lp_hightpu_1t=(24, 48.0), ct5lp_hightpu_4t=(112, 192.0), ct5lp_hightpu_8t=(224, 384.0)),
        hbm_gib=16,
        devices_per_chip=1,
        dimensions=2,
        listed=_FLAT,
        max_chips=256,
        zones=_names("us-central1-a us-south1-a us-west1-c us-west4-a"),
        regions=_names(
            "asia-east1 asia-northeast1 asia-southeast1 europe-north1 europe-west1 europe-west3 europe-west4"
            " northamerica-northeast1 southamerica-west1 us-central1 us-east1 us-east4 us-east5 us-south1 us-west1"
            " us-west4"
        ),
        zones_seen=_names(
            "asia-northeast1-b asia-southeast1-b europe-west1-b europe-west1-c europe-west4-a europe-west4-b us-east5-a"
            " us-east5-b us-east5-c us-south1-b us-west4-b"
        ),
        flex_start_zones=_names("us-west4-a"),
        boot_disk_type=None,
        placement="compact",
        min_gke=None,
        source="XPK; TPUINFO; TPUZONES; SKYCATALOG:further zones; COSTCALC:regions; GKEDWS; MTYPES",
    ),
    TpuGeneration(
        name="v5p",
        accelerator="tpu-v5p-slice",
        machine_types=_map(ct5p_hightpu_4t=4),
        host_shapes=_map(ct5p_hightpu_4t=(208, 448.0)),
        hbm_gib=95,
        devices_per_chip=1,
        dimensions=3,
        listed=_CUBES,
        max_chips=140 * _CUBE_CHIPS,
        zones=_names("us-central1-a us-east5-a europe-west4-b"),
        regions=_names("europe-west1 europe-west4 us-central1 us-east1 us-east5 us-south1"),
        zones_seen=_names("europe-west1-b europe-west1-d us-east5-b us-east5-c us-south1-a us-south1-b us-south1-c"),
        flex_start_zones=_names("us-east5-a"),
        boot_disk_type=None,
        placement="compact",
        min_gke=None,
        source="XPK; TPUINFO; TPUZONES; SKYCAT; SKYCATALOG:further zones; COSTCALC:regions; GKEDWS; MTYPES",
    ),
    TpuGeneration(
        name="v6e",
        accelerator="tpu-v6e-slice",
        machine_types=_map(ct6e_standard_1t=1, ct6e_standard_4t=4, ct6e_standard_8t=8),
        host_shapes=_map(ct6e_standard_1t=(44, 176.0), ct6e_standard_4t=(180, 720.0), ct6e_standard_8t=(360, 1440.0)),
        hbm_gib=32,
        devices_per_chip=1,
        dimensions=2,
        listed=_FLAT,
        max_chips=256,
        zones=_names(
            "asia-northeast1-b asia-south1-b asia-south1-c asia-southeast1-b europe-west4-a us-central1-b"
            " us-east1-d us-east4-a us-east5-a us-east5-b us-south1-a us-south1-c us-south1-ai1b us-west1-c"
        ),
        regions=_names(
            "asia-east1 asia-northeast1 asia-south1 asia-southeast1 europe-west4 southamerica-east1"
            " southamerica-west1 us-central1 us-east1 us-east4 us-east5 us-south1 us-west1"
        ),
        zones_seen=_names("us-central1-a us-central1-c us-east4-b us-east5-c"),
        flex_start_zones=_names("asia-northeast1-b us-east5-a us-east5-b"),
        boot_disk_type="hyperdisk-balanced",
        placement="compact",
        min_gke=None,
        source="XPK; TPUINFO; TPUZONES; SKYCAT; SKYCATALOG:further zones; COSTCALC:regions; GKEDWS; MTYPES;"
        " CT:examples/gke-tpu-v6e",
    ),
    TpuGeneration(
        name="tpu7x",
        accelerator="tpu7x",
        machine_types=_map(tpu7x_standard_1t=1, tpu7x_standard_4t=4),
        host_shapes=_map(tpu7x_standard_1t=(56, 240.0), tpu7x_standard_4t=(224, 960.0)),
        hbm_gib=192,
        devices_per_chip=2,
        dimensions=3,
        listed=("1x1x1", *_CUBES),
        max_chips=144 * _CUBE_CHIPS,
        zones=_names("us-central1-c us-central1-ai1a"),
        regions=_names("europe-west2 us-central1 us-east1"),
        flex_start_zones=None,
        boot_disk_type="hyperdisk-balanced",
        placement="workload-policy",
        min_gke="1.34.0-gke.2201000",
        source="XPK; TPUINFO; TPUZONES; COSTCALC:regions; TPU7XPAGE; CT:examples/gke-tpu-7x; MTYPES",
    ),
)

GENERATIONS: Mapping[str, TpuGeneration] = MappingProxyType({row.name: row for row in _ROWS})
"""Every TPU generation that GKE offers, by its short name."""


def generation_of_machine(name: str) -> TpuGeneration | None:
    """Return the generation a machine type belongs to; None for a machine type without TPU."""
    return next((row for row in _ROWS if name in row.machine_types), None)


def generation_of_accelerator(label: str) -> TpuGeneration | None:
    """Return the generation of a ``gke-tpu-accelerator`` label value; None for an unknown one."""
    return next((row for row in _ROWS if row.accelerator == label), None)


def _chips(generation: TpuGeneration, topology: str) -> int:
    if topology in generation.listed:
        return prod(int(side) for side in topology.split("x"))
    sides = topology.split("x")
    known = ", ".join(generation.listed)
    well_formed = all(side.isascii() and side.isdigit() and side[0] != "0" for side in sides)
    if len(sides) != generation.dimensions or not well_formed:
        form = "AxB" if generation.dimensions == 2 else "AxBxC"
        raise ValueError(
            f"TPU {generation.name} has no topology {topology!r}: its topologies have the form {form}, namely {known}"
        )
    numbers = [int(side) for side in sides]
    chips = prod(numbers)
    if not generation.custom_topologies:
        raise ValueError(f"TPU {generation.name} has no topology {topology!r}: choose one of {known}")
    if any(number % 4 for number in numbers):
        raise ValueError(
            f"TPU {generation.name} has no topology {topology!r}: choose one of {known}, "
            "or a larger one whose three sides are multiples of 4"
        )
    if numbers != sorted(numbers):
        ordered = "x".join(str(number) for number in sorted(numbers))
        raise ValueError(f"TPU {generation.name} writes topology {topology!r} with rising sides: {ordered}")
    if chips > generation.max_chips:
        raise ValueError(
            f"TPU {generation.name} topology {topology!r} has {chips} chips, "
            f"and a slice has at most {generation.max_chips}"
        )
    return chips


def _multi_host_machine(generation: TpuGeneration) -> str:
    return next(name for name, chips in generation.machine_types.items() if chips == 4)


def slice_of(generation: TpuGeneration | str, topology: str, machine_type: str | None = None) -> Slice:
    """Work out the slice of a topology, on one host where one machine type covers it unless another is asked for.

    Raises ValueError with a sentence that says what to write instead: for a generation that is not known, a topology
    that the generation does not have, and a machine type that cannot make it.
    """
    if isinstance(generation, str):
        if generation not in GENERATIONS:
            raise ValueError(f"there is no TPU generation {generation!r}: choose one of {', '.join(GENERATIONS)}")
        generation = GENERATIONS[generation]
    chips = _chips(generation, topology)
    spanning = _multi_host_machine(generation)
    if machine_type is None:
        whole = next((name for name, count in generation.machine_types.items() if count == chips), None)
        machine_type = whole or spanning
    if machine_type not in generation.machine_types:
        raise ValueError(
            f"machine type {machine_type!r} is not of TPU {generation.name}: "
            f"choose one of {', '.join(generation.machine_types)}"
        )
    per_node = generation.machine_types[machine_type]
    if per_node != chips and (machine_type != spanning or chips < per_node):
        fitting = slice_of(generation, topology).machine_type
        raise ValueError(
            f"machine type {machine_type!r} has {per_node} chips and cannot make topology {topology!r} "
            f"of {chips} chips: use {fitting}"
        )
    return Slice(
        generation=generation,
        topology=topology,
        machine_type=machine_type,
        chips=chips,
        nodes=chips // per_node,
    )
