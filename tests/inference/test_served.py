"""A model's engine decides what may be said of it; what cannot work under an engine is refused with a remedy."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from inference.problems import ProblemsError
from inference.settings.kserve import KserveModelSettings
from inference.settings.models import ModelSettings
from inference.settings.nim import NimModelSettings
from inference.stackfile import load
from tests.support.stacks import DELETE, ROOT, sections

KSERVE, NIM = "kserve-tpu-v6e", "nim-l4"
T4 = {"kind": "gpu", "machineType": "n1-standard-4", "accelerator": "nvidia-tesla-t4", "nodes": {"max": 2}}
TPU = {"kind": "tpu", "generation": "v6e", "topology": "2x2", "zone": "us-central1-b"}
GATEWAY = {
    "exposure": "internal",
    "hostname": "llm.example.com",
    "tls": {"certificate": "x"},
    "apiKey": {"secret": "k"},
}


def changed(example: str, edits: dict[str, Any]) -> dict[str, Any]:
    """Return an example with values replaced by dotted path."""
    raw = copy.deepcopy(sections(ROOT / "examples" / f"{example}.yaml"))
    for path, value in edits.items():
        *way, last = path.split(".")
        place = raw
        for key in way:
            place = place.setdefault(key, {})
        if value is DELETE:
            del place[last]
        else:
            place[last] = value
    return raw


def refused(example: str, edits: dict[str, Any]) -> list[tuple[str, str]]:
    """Return place and whole text of every problem."""
    with pytest.raises(ProblemsError) as caught:
        load(changed(example, edits), example)
    return [(problem.where, str(problem)) for problem in caught.value.problems]


REFUSED: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    # form
    (NIM, {"models.llama.engine": "sglang"}, "models.llama.engine", ("'sglang'", "'vllm' or 'kserve' or 'nim'")),
    (NIM, {"models.llama.engine": 7}, "models.llama.engine", ("'7'", "'nim'")),
    (NIM, {"models.llama.engine": None}, "models.llama", ('no "engine"', "Add engine")),
    (NIM, {"models.llama": ["a"]}, "models.llama", ("is a list", "map")),
    (NIM, {"models.llama.dtype": "half"}, "models.llama.dtype", ("beside engine: nim", "engine: vllm or engine: kserve")),
    (NIM, {"models.llama.cacheGb": 50}, "models.llama.cacheGb", ("unknown key", 'Did you mean "cacheGib"?')),
    (NIM, {"models.llama.model": DELETE}, "models.llama.model", ("missing", "NVIDIA's name of the model")),
    (NIM, {"models.llama.ngcApiKey": "nvapi-x"}, "models.llama.ngcApiKey", ("not repeated", "{secret: <its ID>}")),
    (KSERVE, {"models.qwen.model": DELETE}, "models.qwen.model", ("missing", "Hugging Face id")),
    (KSERVE, {"models.qwen.prefill": {}}, "models.qwen.prefill", ("beside engine: kserve", "engine: vllm")),
    (KSERVE, {"models.qwen.engine": DELETE, "models.qwen.cacheGib": 50}, "models.qwen.cacheGib", ("beside engine: vllm",)),
    # KServe
    (KSERVE, {"pools.v6e.slices.max": 1}, "pools.v6e.slices.max", ("4 of them are taken", "1 new pod", "at least 2")),
    (KSERVE, {"models.qwen.replicas": 2}, "pools.v6e.slices.max", ("8 of them are taken", "at least 3")),
    (KSERVE, {"models.qwen.parallelism.pipeline": 2}, "models.qwen.parallelism", ("pipeline 2", "engine: vllm")),
    (KSERVE, {"models.qwen.parallelism": {"tensor": 2, "data": 2}}, "models.qwen.parallelism", ("data 2", "no preset")),
    (KSERVE, {"models.qwen.image": "vllm/vllm-tpu:nightly"}, "models.qwen.image", ("moves", "Pin")),
    # NIM
    (NIM, {"models.llama.pool": "h100"}, "models.llama.pool", ('"h100"', "l4")),
    (NIM, {"models.llama.model": "mistralai/mixtral-9x"}, "models.llama.image", ("no release", "meta/llama-3.1-8b")),
    (NIM, {"models.llama.model": "mistralai/mixtral-9x"}, "models.llama.cacheGib", ("missing", "cacheGib: 100")),
    (NIM, {"models.llama.image": "nvcr.io/nim/meta/llama-3.1-8b-instruct"}, "models.llama.image", ("moves",)),
    (NIM, {"models.llama.cacheGib": 16}, "models.llama.cacheGib", ("download of 15 GiB", "30 or more")),
    (NIM, {"models.llama.contextLength": 200_000}, "models.llama.contextLength", ("131072",)),
    (NIM, {"models.llama.contextLength": 100_000}, "models.llama", ("does not fit", "KV cache", "contextLength")),
    (NIM, {"models.llama.gpus": 2}, "models.llama.gpus", ("has 1 GPUs", "Set gpus: 1")),
    (NIM, {"models.llama.gpus": 3}, "models.llama.gpus", ("32 attention heads", "1, 2, 4, 8, 16")),
    (NIM, {"models.llama.replicas": 3}, "pools.l4.nodes.max", ("llama takes 3", "at least 3")),
    (NIM, {"pools.l4": T4}, "models.llama.pool", ("bfloat16", "L4 or newer")),
    (NIM, {"pools.l4": TPU}, "models.llama.pool", ("has TPUs", "kind: gpu")),
    (NIM, {"gateway": GATEWAY}, "gateway", ("NIM", "nobody for a key", "remove the gateway")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("example", "edits", "place", "words"), REFUSED, ids=[f"{r[0]}-{'-'.join(r[1])}-{i}" for i, r in enumerate(REFUSED)]
)
def test_what_an_engine_cannot_do_is_refused_where_it_stands(
    example: str, edits: dict[str, Any], place: str, words: tuple[str, ...]
) -> None:
    found = refused(example, edits)
    texts = [text for where, text in found if where == place]
    assert any(all(word in text for word in words) for text in texts), found


def test_the_engine_chooses_the_settings_and_none_means_vllm() -> None:
    assert isinstance(load(changed(KSERVE, {}), "x").models["qwen"], KserveModelSettings)
    assert isinstance(load(changed(NIM, {}), "x").models["llama"], NimModelSettings)
    assert type(load(changed(KSERVE, {"models.qwen.engine": "vllm"}), "x").models["qwen"]) is ModelSettings
    assert type(load(changed(KSERVE, {"models.qwen.engine": DELETE}), "x").models["qwen"]) is ModelSettings


def test_a_problem_in_one_model_hides_none_of_another_engine() -> None:
    other = {"engine": "nim", "model": "meta/llama-3.1-8b-instruct", "pool": "none", "contextLength": 512}
    other["ngcApiKey"] = {"secret": "k"}
    found = refused(KSERVE, {"models.llama": other, "models.qwen.contextLenght": 1})
    assert {where for where, _ in found} == {"models.llama.pool", "models.qwen.contextLenght"}


@pytest.mark.parametrize("replicas", [0, 1, 2])
def test_a_scaled_down_or_smaller_model_under_kserve_is_accepted(replicas: int) -> None:
    load(changed(KSERVE, {"models.qwen.replicas": replicas, "pools.v6e.slices.max": max(1, 2 * replicas)}), "x")


def test_a_nim_whose_size_is_not_known_is_accepted_with_image_and_cache() -> None:
    edits = {"model": "acme/unheard-of", "image": "nvcr.io/nim/acme/unheard-of:1.0.0", "cacheGib": 100}
    load(changed(NIM, {f"models.llama.{key}": value for key, value in edits.items()}), "x")
