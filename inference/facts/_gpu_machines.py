"""The GPUs and the machine types that carry them as rows, family by family: what is common to a family stands once."""

from __future__ import annotations

from inference.facts._gpu import Family, Gpu, as_marketed

__all__ = ["FAMILIES", "GPU_ROWS"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_A3_DISKS = ("pd-balanced", "pd-ssd", "hyperdisk-balanced")
_A3_HIGH_REGIONS = _names(
    "asia-east1 asia-northeast1 asia-northeast3 asia-south1 asia-south2 asia-southeast1 australia-southeast1"
    " australia-southeast2 europe-north1 europe-west1 europe-west3 europe-west4 europe-west9 us-central1 us-east4"
    " us-east5 us-west1 us-west4"
)
_HYPERDISK = ("hyperdisk-balanced",)
_TITANIUM_SSD_GIB = 3000

FAMILIES: tuple[Family, ...] = (
    Family(
        name="g2",
        accelerator="nvidia-l4",
        rows=(
            ("g2-standard-4", 1, 4, 16, 1),
            ("g2-standard-8", 1, 8, 32, 1),
            ("g2-standard-12", 1, 12, 48, 1),
            ("g2-standard-16", 1, 16, 64, 1),
            ("g2-standard-24", 2, 24, 96, 2),
            ("g2-standard-32", 1, 32, 128, 1),
            ("g2-standard-48", 4, 48, 192, 4),
            ("g2-standard-96", 8, 96, 384, 8),
        ),
        ssd="chosen",
        boot_disk_types=("pd-balanced", "pd-ssd"),
        zones_seen=_names(
            "asia-northeast1-a asia-northeast1-b asia-northeast1-c asia-south1-a asia-southeast1-a asia-southeast1-b"
            " asia-southeast1-c europe-west1-b europe-west1-c europe-west4-a europe-west4-b europe-west4-c"
            " us-central1-a us-central1-b us-central1-c us-east1-b us-east1-d us-east4-a us-east4-c us-west1-a"
            " us-west1-b us-west1-c us-west4-a us-west4-c"
        ),
        regions=_names(
            "asia-east1 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 europe-west1 europe-west2"
            " europe-west3 europe-west4 europe-west6 me-central2 northamerica-northeast1 northamerica-northeast2"
            " us-central1 us-east1 us-east4 us-west1 us-west4"
        ),
        source="GPUDOC; COSTCALC:regions; COSTZONE23:zones; SKYCATALOG:zones; PDDOC",
    ),
    Family(
        name="g4",
        accelerator="nvidia-rtx-pro-6000",
        rows=(
            # A fraction of one GPU (1/8, 1/4, 1/2): no whole GPU to schedule, and no verified way on GKE.
            ("g4-standard-6", 0, 6, 22, 0),
            ("g4-standard-12", 0, 12, 45, 1),
            ("g4-standard-24", 0, 24, 90, 2),
            ("g4-standard-48", 1, 48, 180, 4),
            ("g4-standard-96", 2, 96, 360, 8),
            ("g4-standard-192", 4, 192, 720, 16),
            ("g4-standard-384", 8, 384, 1440, 32),
        ),
        ssd="chosen",
        nics=1,
        boot_disk_types=_HYPERDISK,
        regions=_names(
            "asia-east1 asia-northeast1 asia-south1 asia-south2 asia-southeast1 asia-southeast2 europe-north1"
            " europe-west1 europe-west10 europe-west2 europe-west4 europe-west8 me-central2 southamerica-east1"
            " us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west3 us-west4"
        ),
        source="GPUDOC; COSTCALC:regions",
    ),
    Family(
        name="a2",
        accelerator="nvidia-tesla-a100",
        rows=(
            ("a2-highgpu-1g", 1, 12, 85, None),
            ("a2-highgpu-2g", 2, 24, 170, None),
            ("a2-highgpu-4g", 4, 48, 340, None),
            ("a2-highgpu-8g", 8, 96, 680, None),
        ),
        ssd="unknown",
        boot_disk_types=("pd-balanced", "pd-ssd", "pd-standard"),
        zones=_names(
            "asia-northeast1-a asia-northeast1-c asia-northeast3-a asia-northeast3-b asia-southeast1-a"
            " asia-southeast1-b asia-southeast1-c europe-west4-a europe-west4-b me-west1-a me-west1-c us-central1-a"
            " us-central1-b us-central1-c us-central1-f us-east1-b us-west1-b us-west3-b us-west4-b"
        ),
        source="GPUDOC; SKYCAT:zones; PDDOC",
    ),
    Family(
        name="a2",
        accelerator="nvidia-tesla-a100",
        rows=(("a2-megagpu-16g", 16, 96, 1360, None),),
        ssd="unknown",
        boot_disk_types=("pd-balanced", "pd-ssd", "pd-standard"),
        regions=_names("asia-southeast1 europe-west4 us-central1"),
        zones_seen=_names("asia-southeast1-c europe-west4-a us-central1-a us-central1-b us-central1-c us-central1-f"),
        source="GPUDOC; COSTCALC:regions; PDDOC",
    ),
    Family(
        name="a2-ultra",
        accelerator="nvidia-a100-80gb",
        rows=(
            ("a2-ultragpu-1g", 1, 12, 170, 1),
            ("a2-ultragpu-2g", 2, 24, 340, 2),
            ("a2-ultragpu-4g", 4, 48, 680, 4),
            ("a2-ultragpu-8g", 8, 96, 1360, 8),
        ),
        ssd="bundled",
        boot_disk_types=("pd-balanced", "pd-ssd", "pd-standard"),
        zones=_names("asia-southeast1-c europe-west4-a us-central1-a us-central1-c us-east4-c us-east5-a us-east5-b"),
        source="GPUDOC; LSSDDOC; SKYCAT:zones; PDDOC",
    ),
    Family(
        name="a3-high",
        accelerator="nvidia-h100-80gb",
        rows=(
            ("a3-highgpu-1g", 1, 26, 234, 2),
            ("a3-highgpu-2g", 2, 52, 468, 4),
            ("a3-highgpu-4g", 4, 104, 936, 8),
        ),
        ssd="bundled",
        nics=1,
        boot_disk_types=_A3_DISKS,
        not_on_demand=_names("a3-highgpu-1g a3-highgpu-2g a3-highgpu-4g"),
        not_reservable=_names("a3-highgpu-1g a3-highgpu-2g a3-highgpu-4g"),
        regions=_A3_HIGH_REGIONS,
        source="GPUDOC; LSSDDOC; COSTCALC:regions; SKYPR5351",
    ),
    Family(
        name="a3-high",
        accelerator="nvidia-h100-80gb",
        rows=(("a3-highgpu-8g", 8, 208, 1872, 16),),
        ssd="bundled",
        fabrics={"a3-highgpu-8g": "tcpx"},
        boot_disk_types=_A3_DISKS,
        zones=_names(
            "asia-east1-c asia-northeast1-b asia-south1-c asia-south2-b asia-southeast1-b asia-southeast1-c"
            " australia-southeast1-c europe-north1-c europe-west1-b europe-west1-c europe-west3-c europe-west4-b"
            " europe-west4-c europe-west9-c us-central1-a us-central1-b us-central1-c us-east4-a us-east4-b us-east4-c"
            " us-east5-a us-west1-a us-west1-b us-west4-a"
        ),
        regions=_A3_HIGH_REGIONS,
        source="GPUDOC; LSSDDOC; SKYCAT:zones; COSTCALC:regions; SKYPR5351",
    ),
    Family(
        name="a3-edge",
        accelerator="nvidia-h100-80gb",
        rows=(("a3-edgegpu-8g", 8, 208, 1872, 16), ("a3-edgegpu-8g-nolssd", 8, 208, 1872, 0)),
        ssd="bundled",
        nics=5,
        boot_disk_types=_A3_DISKS,
        source="GPUDOC; LSSDDOC; MTYPES; SKYPR5351",
    ),
    Family(
        name="a3-mega",
        accelerator="nvidia-h100-mega-80gb",
        rows=(("a3-megagpu-8g", 8, 208, 1872, 16),),
        ssd="bundled",
        fabrics={"a3-megagpu-8g": "tcpxo"},
        boot_disk_types=_A3_DISKS,
        zones=_names(
            "asia-east1-c asia-northeast1-b asia-southeast1-b asia-southeast1-c australia-southeast1-c europe-north1-c"
            " europe-west1-b europe-west1-c europe-west3-c europe-west4-b europe-west4-c us-central1-a us-central1-b"
            " us-central1-c us-east4-a us-east4-b us-east4-c us-east5-a us-west1-a us-west1-b us-west4-a"
        ),
        source="GPUDOC; LSSDDOC; SKYCAT:zones; SKYPR5351",
    ),
    Family(
        name="a3-ultra",
        accelerator="nvidia-h200-141gb",
        rows=(("a3-ultragpu-8g", 8, 224, 2952, 32), ("a3-ultragpu-8g-nolssd", 8, 224, 2952, 0)),
        ssd="bundled",
        fabrics={"a3-ultragpu-8g": "roce", "a3-ultragpu-8g-nolssd": "roce"},
        boot_disk_types=_HYPERDISK,
        zones=_names(
            "asia-south1-b asia-south2-c europe-west1-b europe-west4-a us-central1-b us-east4-b us-east5-a us-south1-b"
            " us-west1-c"
        ),
        regions=_names(
            "asia-south1 asia-south2 europe-west1 europe-west4 us-central1 us-east4 us-east5 us-south1 us-west1"
        ),
        not_on_demand=_names("a3-ultragpu-8g a3-ultragpu-8g-nolssd"),
        source="GPUDOC; LSSDDOC; SKYCAT:zones; COSTCALC:regions; CT:examples/machine-learning/a3-ultragpu-8g",
    ),
    Family(
        name="a4",
        accelerator="nvidia-b200",
        rows=(("a4-highgpu-8g", 8, 224, 3968, 32),),
        ssd="bundled",
        fabrics={"a4-highgpu-8g": "roce"},
        boot_disk_types=_HYPERDISK,
        zones=_names(
            "asia-northeast1-b asia-southeast1-b europe-north1-b europe-west4-b us-central1-b us-east1-b us-east4-b"
            " us-south1-b us-west2-c us-west3-b us-west3-c"
        ),
        regions=_names(
            "asia-northeast1 asia-southeast1 europe-north1 europe-west1 europe-west4 us-central1 us-east1 us-east4"
            " us-south1 us-west2 us-west3"
        ),
        not_on_demand=_names("a4-highgpu-8g"),
        source="GPUDOC; LSSDDOC; SKYCAT:zones; COSTCALC:regions; CT:examples/machine-learning/a4-highgpu-8g",
    ),
    Family(
        name="a4x",
        accelerator="nvidia-gb200",
        rows=(("a4x-highgpu-4g", 4, 140, 884, 4), ("a4x-highgpu-4g-nolssd", 4, 140, 884, 0)),
        ssd="bundled",
        ssd_gib=_TITANIUM_SSD_GIB,
        fabrics={"a4x-highgpu-4g": "roce-a4x", "a4x-highgpu-4g-nolssd": "roce-a4x"},
        arch="arm64",
        boot_disk_types=_HYPERDISK,
        regions=_names("europe-west4 us-central1 us-east1 us-east4"),
        not_on_demand=_names("a4x-highgpu-4g a4x-highgpu-4g-nolssd"),
        reservation_only=True,
        source="GPUDOC; LSSDDOC; GKECUSTOMA4X; XPK; COSTCALC:regions; CT:examples/gke-a4x; AICRPR2338",
    ),
    Family(
        name="a4x-max",
        accelerator="nvidia-gb300",
        rows=(("a4x-maxgpu-4g-metal", 4, 144, 960, 4), ("a4x-maxgpu-4g-metal-nolssd", 4, 144, 960, 0)),
        ssd="bundled",
        ssd_gib=_TITANIUM_SSD_GIB,
        fabrics={"a4x-maxgpu-4g-metal": "roce-metal", "a4x-maxgpu-4g-metal-nolssd": "roce-metal"},
        arch="arm64",
        boot_disk_types=_HYPERDISK,
        regions=_names("us-central1 us-east4 us-east5"),
        not_on_demand=_names("a4x-maxgpu-4g-metal a4x-maxgpu-4g-metal-nolssd"),
        reservation_only=True,
        source="GPUDOC; LSSDDOC; GKECUSTOMMAX; CT:examples/gke-a4x-max-bm; COSTCALC:regions",
    ),
)
"""Every GPU family. A3 High stands twice, because only its 8-GPU machine has a fabric and on-demand capacity; and A2,
because its largest machine is offered in fewer regions."""

GPU_ROWS = (
    Gpu(
        accelerator="nvidia-tesla-t4",
        name="NVIDIA T4",
        memory_gb=16,
        memory_gib=14.58,
        compute_capability=(7, 5),
        nvlink_gbps=None,
        source="GPUDOC; T4OOM; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-l4",
        name="NVIDIA L4",
        memory_gb=24,
        memory_gib=22.03,
        compute_capability=(8, 9),
        nvlink_gbps=None,
        source="GPUDOC; TORCHOOM:22.03 GiB on g2-standard-96; MODAL2797; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-rtx-pro-6000",
        name="NVIDIA RTX PRO 6000 Blackwell Server Edition",
        memory_gb=96,
        memory_gib=94.97,
        compute_capability=(12, 0),
        nvlink_gbps=None,
        source="GPUDOC; DS4431; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-a100",
        name="NVIDIA A100 40GB",
        memory_gb=40,
        memory_gib=39.39,
        compute_capability=(8, 0),
        nvlink_gbps=600,
        source="GPUDOC; BOTTLEROCKET3873; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-a100-80gb",
        name="NVIDIA A100 80GB",
        memory_gb=80,
        memory_gib=79.25,
        compute_capability=(8, 0),
        nvlink_gbps=600,
        source="GPUDOC; OOTD235; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h100-80gb",
        name="NVIDIA H100 80GB",
        memory_gb=80,
        memory_gib=79.11,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; VLLM27508; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h100-mega-80gb",
        name="NVIDIA H100 Mega 80GB",
        memory_gb=80,
        memory_gib=79.11,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; VLLM27508:the same GPU behind other NICs; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h200-141gb",
        name="NVIDIA H200 141GB",
        memory_gb=141,
        memory_gib=139.80,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; TORCHOOM:139.80 GiB, six repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-b200",
        name="NVIDIA B200",
        memory_gb=180,
        memory_gib=178.35,
        compute_capability=(10, 0),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHAO4002; TORCHOOM:178.35 GiB; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-gb200",
        name="NVIDIA GB200",
        memory_gb=186,
        memory_gib=184.31,
        compute_capability=(10, 0),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHOOM:184.31 GiB, five repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-gb300",
        name="NVIDIA GB300",
        memory_gb=279,
        memory_gib=276.50,
        compute_capability=(10, 3),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHOOM:276.50 GiB, two repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-v100",
        name="NVIDIA V100",
        memory_gb=16,
        memory_gib=as_marketed(16),
        compute_capability=(7, 0),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-p100",
        name="NVIDIA P100",
        memory_gb=16,
        memory_gib=as_marketed(16),
        compute_capability=(6, 0),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-p4",
        name="NVIDIA P4",
        memory_gb=8,
        memory_gib=as_marketed(8),
        compute_capability=(6, 1),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
)
"""Every GPU, those included that N1 machines are given."""
