"""Data-parallel ranks: every node answers for its own, and together they are all of them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.blueprint import ModelPlan, design
from inference.facts.models import MODELS, Model
from inference.fit import Device, Split, fit
from inference.manifests import gateway, servers, vllm
from inference.stackfile import load
from tests.support.stacks import ROOT, sections

H200 = Device("H200", 139.8)
MIXTURES = [m for m in MODELS.values() if m.expert_share is not None and m.weight_bytes]


def config(**parallelism: int) -> dict[str, Any]:
    made = sections(ROOT / "examples" / "llm-d-pattern-4.yaml")
    if parallelism:
        made["models"]["deepseek"]["parallelism"] = parallelism
        made["models"]["deepseek"]["contextLength"] = 1024
        made["pools"]["h200"]["nodes"] = {"min": 0, "max": 100}
    return made


def plan(**parallelism: int) -> ModelPlan:
    return design(load(config(**parallelism), "example"), "example").models["deepseek"]


def flags(model: ModelPlan, role: str) -> dict[str, str]:
    words = vllm.arguments(model, role)
    return {flag: after for flag, after in zip(words, [*words[1:], ""], strict=True) if flag.startswith("--")}


def test_all_pods_of_a_group_run_one_template_that_answers() -> None:
    group = servers.leader_worker_set(plan())["spec"]["leaderWorkerTemplate"]
    assert group["size"] == 2
    assert "leaderTemplate" not in group
    (container,) = group["workerTemplate"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["port"] == "http"
    assert "--headless" not in container["args"][0]
    assert "--nnodes" not in container["args"][0]


def test_every_pod_is_an_endpoint_of_service_and_pool() -> None:
    model = plan()
    labels = servers.leader_worker_set(model)["spec"]["leaderWorkerTemplate"]["workerTemplate"]["metadata"]["labels"]
    for selector in (
        servers.service(model)["spec"]["selector"],
        gateway.inference_pool(model)["spec"]["selector"]["matchLabels"],
        servers.pod_monitoring(model)["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()


def test_the_ranks_share_the_experts_through_nccl_over_the_plugin() -> None:
    group = servers.leader_worker_set(plan())["spec"]["leaderWorkerTemplate"]
    (container,) = group["workerTemplate"]["spec"]["containers"]
    (script,) = container["args"]
    assert "source /usr/local/gib/scripts/set_nccl_env.sh" in script
    assert "--enable-expert-parallel --all2all-backend allgather_reducescatter" in script
    assert container["securityContext"]["capabilities"]["add"] == ["IPC_LOCK"]


def test_ranks_within_one_pod_need_no_address_and_no_group() -> None:
    model = plan(data=8, tensor=1)
    assert not model.multi_node
    given_flags = flags(model, "single")
    assert given_flags["--data-parallel-size"] == "8"
    assert not {"--data-parallel-address", "--data-parallel-start-rank"} & given_flags.keys()


def test_expert_parallelism_is_asked_for_once() -> None:
    made = config()
    made["models"]["deepseek"]["extraArgs"] = {"--enable-expert-parallel": True}
    model = design(load(made, "example"), "example").models["deepseek"]
    assert vllm.arguments(model, "rank").count("--enable-expert-parallel") == 1


@given(st.sampled_from([1, 2, 4, 8]), st.integers(2, 16))
@settings(max_examples=40, deadline=None)
def test_the_pods_of_a_group_cover_every_rank_once_with_all_their_gpus(tensor: int, pods: int) -> None:
    data = 8 * pods // tensor
    model = plan(data=data, tensor=tensor)
    assert model.group_size == pods
    assert model.ranks_per_pod * tensor == model.per_pod == 8
    asked = flags(model, "rank")
    local = int(asked["--data-parallel-size-local"])
    (factor,) = re.findall(r"\$\(\(LWS_WORKER_INDEX \* (\d+)\)\)", asked["--data-parallel-start-rank"])
    ranks = [index * int(factor) + rank for index in range(pods) for rank in range(local)]
    assert ranks == list(range(data))


@given(st.sampled_from(MIXTURES), st.integers(1, 8), st.integers(2, 64))
def test_more_ranks_hold_fewer_experts_each_and_never_less_attention(model: Model, tensor: int, data: int) -> None:
    one, some, more = (
        fit(model, H200, Split(tensor, 1, ranks), context=1024, utilization=0.9) for ranks in (1, data, 2 * data)
    )
    assert one is not None
    assert some is not None
    assert more is not None
    assert model.expert_share is not None
    assert one.weights > some.weights > more.weights > one.weights * (1 - model.expert_share)
    assert some.weights >= one.weights / data


@given(st.sampled_from([m for m in MODELS.values() if m.moe is None and m.weight_bytes]), st.integers(2, 64))
def test_ranks_of_a_dense_model_hold_it_whole(model: Model, data: int) -> None:
    one, many = (fit(model, H200, Split(1, 1, ranks), context=1024, utilization=0.9) for ranks in (1, data))
    assert one is not None
    assert many is not None
    assert many.weights == one.weights


def test_a_mixture_whose_experts_cannot_be_summed_is_not_vouched_for() -> None:
    strange = [m for m in MODELS.values() if m.moe is not None and m.expert_share is None]
    assert strange
    for model in strange:
        assert fit(model, H200, Split(1, 1, 8), context=1024, utilization=0.9) is None


@pytest.mark.parametrize("split", [Split(), Split(8), Split(8, 2), Split(2, 1, 4)], ids=str)
def test_a_split_reads_as_its_sizes(split: Split) -> None:
    assert f"tensor {split.tensor} × pipeline {split.pipeline}" in str(split)
    assert ("data" in str(split)) == (split.data > 1)
