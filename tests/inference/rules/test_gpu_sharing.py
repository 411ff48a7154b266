from __future__ import annotations

import pytest

from inference.rules import gpu_sharing
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import findings, node_pool


def gpus(machine: str, kind: str, **more: object) -> Resource:
    accelerator = {"type": kind, "count": 1, **more}
    return node_pool("gpus", {"nodeConfig": {"machineType": machine, "guestAccelerators": [accelerator]}})


@pytest.mark.parametrize(
    ("machine", "kind", "more", "found"),
    [
        ("g2-standard-4", "nvidia-l4", {"gpuPartitionSize": "1g.5gb"}, True),
        ("a4x-highgpu-4g", "nvidia-gb200", {"gpuPartitionSize": "1g.23gb"}, True),
        ("a2-highgpu-1g", "nvidia-tesla-a100", {"gpuPartitionSize": "1g.5gb"}, False),
        ("g2-standard-4", "nvidia-l4", {"gpuSharingConfig": {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 8}}, False),
        ("g2-standard-4", "nvidia-l4", {"gpuSharingConfig": {"gpuSharingStrategy": "MPS", "maxSharedClientsPerGpu": 64}}, True),
        ("g2-standard-4", "nvidia-l4", {"gpuSharingConfig": {"gpuSharingStrategy": "time-sharing", "maxSharedClientsPerGpu": 2}}, True),
        ("g2-standard-4", "nvidia-l4", {"gpuSharingConfig": {"gpuSharingStrategy": UNKNOWN, "maxSharedClientsPerGpu": UNKNOWN}}, False),
        ("g2-standard-4", "nvidia-l4", {"gpuPartitionSize": "", "gpuSharingConfig": {"gpuSharingStrategy": "", "maxSharedClientsPerGpu": 0}}, False),
        ("a2-ultragpu-1g", "nvidia-a100-80gb", {"gpuPartitionSize": "1g.5gb"}, True),
        ("a2-highgpu-1g", "nvidia-tesla-a100", {"gpuPartitionSize": "3g.40gb-half"}, True),
        ("a2-ultragpu-1g", "nvidia-a100-80gb", {"gpuPartitionSize": "3g.40gb"}, False),
    ],
)  # fmt: skip
def test_gpus_are_shared_as_they_can_be(machine: str, kind: str, more: dict, found: bool) -> None:
    assert bool(findings(gpu_sharing.gpu_sharing_is_possible, gpus(machine, kind, **more))) is found
