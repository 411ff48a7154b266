import pytest

from inference.facts.gpus import GPUS


def test_a_gpu_is_filed_under_its_accelerator_type() -> None:
    assert all(key == gpu.accelerator for key, gpu in GPUS.items())


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.accelerator)
def test_a_process_sees_somewhat_less_than_what_is_marketed(gpu) -> None:
    assert 0.9 * gpu.memory_gb < gpu.memory_gib < gpu.memory_gb, "a figure in the wrong unit would fall out"


def test_measured_memory_is_what_was_measured() -> None:
    # GKE node with a T4: "GPU 0 has a total capacity of 14.58 GiB"; https://github.com/pytorch/ao/pull/4002: 178.35.
    assert GPUS["nvidia-tesla-t4"].memory_gib == 14.58
    assert GPUS["nvidia-b200"].memory_gib == 178.35
    # https://github.com/bottlerocket-os/bottlerocket/pull/3873: 42298834944 bytes.
    assert abs(GPUS["nvidia-tesla-a100"].memory_gib * 2**30 - 42_298_834_944) < 2**24


def test_bf16_begins_with_ampere_and_fp8_with_ada() -> None:
    without_bf16 = {gpu.accelerator for gpu in GPUS.values() if not gpu.bf16}
    without_fp8 = {gpu.accelerator for gpu in GPUS.values() if not gpu.fp8}

    assert without_bf16 == {"nvidia-tesla-t4", "nvidia-tesla-v100", "nvidia-tesla-p100", "nvidia-tesla-p4"}
    assert without_fp8 - without_bf16 == {"nvidia-tesla-a100", "nvidia-a100-80gb"}
