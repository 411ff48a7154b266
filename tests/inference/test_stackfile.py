"""A wrong stack file is refused with every problem at once, each naming place, value, reason and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from inference.problems import ProblemsError
from inference.settings import StackSettings
from inference.settings.vocabulary import FORMS
from inference.stackfile import load
from tests.support.stacks import DELETE, STANDING, edited, raw

Edit = tuple[str, dict[str, Any], str, tuple[str, ...]]

EDITS: list[Edit] = [
    # accelerators
    ("prod", {"pools__h200__gpusPerNode": 4}, "pools.h200.gpusPerNode", ("4", "has 8 GPUs", "8 GPU NICs", "Set gpusPerNode: 8")),
    ("prod", {"models__kimi__gpus": 4}, "models.kimi.gpus", ("4 of the 8", "RDMA NICs", "Set gpus: 8")),
    ("prod", {"models__kimi__gpus": 16}, "models.kimi.gpus", ("16", "has 8 GPUs", "Set gpus: 8")),
    ("prod", {"models__kimi__parallelism__tensor": 4}, "models.kimi", ("does not fit", "tensor 8 × pipeline 2")),
    ("prod", {"models__kimi__parallelism__tensor": 5}, "models.kimi.parallelism", ("tensor 5 × pipeline 2 = 10", "Make the product 16")),
    ("prod", {"models__kimi__parallelism__tensor": 16}, "models.kimi.parallelism.tensor", ("16", "has 8 GPUs", "Set tensor: 8")),
    ("prod", {"models__kimi__parallelism__tensor": 6}, "models.kimi.parallelism.tensor", ("64 attention heads", "Use one of")),
    ("prod", {"models__kimi__parallelism__pipeline": 5}, "pools.h200.nodes.max", ("kimi takes 40", "at least 5 nodes")),
    ("prod", {"models__kimi__parallelism__pipeline": 1}, "models.kimi", ("does not fit", "KV cache", "pipeline 2")),
    ("prod", {"pools__h200__accelerator": "nvidia-b200"}, "pools.h200.accelerator", ("comes with nvidia-h200-141gb",)),
    ("dev", {"pools__t4__accelerator": "nvidia-h100-80gb"}, "pools.t4.accelerator", ("must be attached", "nvidia-tesla-t4")),
    ("dev", {"pools__t4__accelerator": DELETE}, "pools.t4.accelerator", ("missing",)),
    ("dev", {"pools__t4__gpusPerNode": 3}, "pools.t4.gpusPerNode", ("counts of 1, 2, 4",)),
    ("dev", {"pools__t4__machineType": "n1-standard-64"}, "pools.t4.machineType", ("64 vCPUs", "at most 48")),
    ("dev", {"pools__t4__machineType": "a3-ultragpu-9g"}, "pools.t4.machineType", ("Did you mean", "a3-ultragpu-8g")),
    ("dev", {"pools__t4__machineType": "e2-standard-4"}, "pools.t4.machineType", ("no GPU",)),
    # zones
    ("prod", {"pools__h200__zone": "us-central1-c"}, "pools.h200.zone", ("has no a3-ultragpu-8g", "us-central1-b")),
    ("prod", {"pools__h200__zone": "europe-west4-a"}, "pools.h200.zone", ("cluster is in us-central1",)),
    ("prod", {"pools__h200__zone": DELETE}, "pools.h200.zone", ("missing", "regional")),
    ("dev", {"cluster__location": "europe-north1-a"}, "cluster.location", ("has no nvidia-tesla-t4",)),
    ("dev", {"cluster__location": "europe-west6-b", "pools__t4__machineType": "g4-standard-48", "pools__t4__accelerator": DELETE}, "cluster.location", ("has no g4-standard-48", "offered in: asia-east1")),
    # capacity
    ("prod", {"pools__h200__capacity": {"type": "on-demand"}}, "pools.h200.capacity.type", ("cannot be had on demand", "reservation")),
    ("prod", {"pools__h200__capacity": {"type": "flex-start"}}, "pools.h200.nodes.min", ("2", "Set min: 0")),
    ("prod", {"pools__h200__capacity": {"type": "spot", "name": "h200"}}, "pools.h200.capacity.name", ("exclude each other", "type: reservation")),
    ("prod", {"pools__h200__capacity": {"type": "lottery"}}, "pools.h200.capacity.type", ("'lottery'", "'spot'")),
    ("prod", {"pools__h200__capacity": {"name": "x"}}, "pools.h200.capacity", ('no "type"',)),
    ("prod", {"pools__h200__nodes__min": 6}, "pools.h200.nodes.min", ("6, with max 4",)),
    ("prod", {"pools__h200__nodes__max": 1}, "pools.h200.nodes.max", ("8 accelerators", "at least 2 nodes")),
    ("dev", {"models__qwen__replicas": 4}, "pools.t4.nodes.max", ("qwen takes 4", "at least 4 nodes")),
    # addresses
    ("prod", {"cluster__network__rdma": "192.168.64.0/19"}, "cluster.network.rdma", ("overlaps hostNics",)),
    ("prod", {"cluster__network__rdma": "192.168.128.0/28"}, "cluster.network.rdma", ("8 subnets",)),
    ("prod", {"cluster__network__rdma": "192.168.128.1/18"}, "cluster.network.rdma", ("host bits set",)),
    ("prod", {"cluster__network__rdma": "192.169.0.0/18"}, "cluster.network.rdma", ("not private",)),
    ("dev", {"cluster__network": {"proxies": "10.1.16.0/28"}}, "cluster.network.proxies", ("smaller than a /26",)),
    ("dev", {"cluster__network": {"pods": "10.8.0.0/23"}}, "cluster.network.pods", ("room for 2 nodes",)),
    ("dev", {"cluster__network": {"nodes": "10.0.0.0/30"}}, "cluster.network.nodes", ("0 addresses",)),
    # models
    ("dev", {"models__qwen__pool": "l4"}, "models.qwen.pool", ('"l4"', "t4")),
    ("dev", {"models__qwen__dtype": "auto"}, "models.qwen.dtype", ("bfloat16", "Set dtype: half")),
    ("dev", {"models__qwen__kvCacheDtype": "fp8"}, "models.qwen.kvCacheDtype", ("has no FP8",)),
    ("dev", {"models__qwen__contextLength": 65536}, "models.qwen.contextLength", ("trained for 32768",)),
    ("dev", {"models__qwen__memoryUtilization": 0.95}, "models.qwen.memoryUtilization", ("CUDA graphs", "to 0.85")),
    ("dev", {"models__qwen__model": "Qwen/Qwen2.5-7B-Instruct"}, "models.qwen", ("does not fit", "weights", "NVIDIA L4")),
    ("dev", {"models__qwen__model": "google/gemma-2b-it"}, "models.qwen.weights.token", ("gated", "Add token")),
    ("dev", {"models__qwen__image": "vllm/vllm-openai:latest"}, "models.qwen.image", ("moves", "Pin a version")),
    ("dev", {"models__qwen__extraArgs": {"--disable-log-requests": True}}, "models.qwen.extraArgs", ("no such option",)),
    ("dev", {"models__qwen__extraArgs": {"--max-model-len": 1}}, "models.qwen.extraArgs", ("Set contextLength",)),
    # cluster, gateway, pools
    ("prod", {"cluster__version": "1.33"}, "cluster.version", ("InferencePool", "1.34.0-gke.1626000")),
    ("prod", {"cluster__version": 1.35}, "cluster.version", ("1.35 is a number", 'quotes: "1.35"')),
    ("prod", {"cluster__version": "1.33", "pools__h200__network": "dranet"}, "cluster.version", ("DRANET", "1.34.1")),
    ("prod", {"pools__h200__network": "default"}, "pools.h200.network", ("spans 2 nodes",)),
    ("dev", {"pools__t4__network": "dranet"}, "pools.t4.network", ("no accelerator network",)),
    ("dev", {"cluster__systemPool": {"minNodes": 5}}, "cluster.systemPool.minNodes", ("5, with maxNodes 3",)),
    ("dev", {"cluster__systemPool": {"machineType": "g2-standard-4"}}, "cluster.systemPool.machineType", ("1 GPUs",)),
    ("dev", {"cluster__maintenanceWindow": {"days": ["SU"], "hours": 4}}, "cluster.maintenanceWindow", ("16 hours",)),
    ("dev", {"gateway__picker__cpu": 8}, "gateway.picker.cpu", ("e2-standard-4",)),
    ("dev", {"models": {}}, "gateway", ("no model",)),
    ("dev", {"models": {}}, "pools.t4", ("no model names this pool",)),
    # form
    ("dev", {"pools__t4__machinetype": "n1-standard-4"}, "pools.t4.machinetype", ("unknown key", 'Did you mean "machineType"?')),
    ("dev", {"cluster__project": DELETE}, "cluster.project", ("missing", "project: my-project-123")),
    ("dev", {"gateway__tls": DELETE}, "gateway.tls", ("missing", "Write tls: { certificate: … }. Server certificate.")),
    ("dev", {"models__qwen__replicas": "1"}, "models.qwen.replicas", ("is text", "without quotes")),
    ("dev", {"models__qwen__replicas": -1}, "models.qwen.replicas", ("-1", "Set replicas to 0 or more.")),
    ("dev", {"models__qwen__memoryUtilization": ".inf"}, "models.qwen.memoryUtilization", ("is text", "without unit")),
    ("dev", {"models__qwen__model": "Qwen/Qwen2.5-1.6B-Instruct"}, "models.qwen.model", ("no such model", "1.5b, 3b")),
    ("dev", {"pools__t4__machineType": "n1-standrd-4"}, "pools.t4.machineType", ("Did you mean n1-standard-4",)),
    ("dev", {"pools__t4__accelerator": "nvidia-t4"}, "pools.t4.accelerator", ("no GPU of this name can be", "Did you mean nvidia-tesla-t4?")),
    ("dev", {"pools__t4__kind": "fpga"}, "pools.t4.kind", ("Write 'gpu' or 'tpu'.",)),
    ("prod", {"cluster__network__rdma": "192.168.128.7/18"}, "cluster.network.rdma", ("around it is 192.168.128.0/18",)),
    ("dev", {"models__qwen": ["a"]}, "models.qwen", ("is a list", "map")),
    ("dev", {"gateway__exposure": "public"}, "gateway.exposure", ("'public'", "'external' or 'internal'")),
    ("dev", {"gateway__apiKey": "s3cr3t"}, "gateway.apiKey", ("is not repeated", "Secret Manager", "{secret: <its ID>}")),
    ("dev", {"gateway__apiKey__secret": "s3cr3t!"}, "gateway.apiKey.secret", ("is not repeated", "Secret Manager")),
    ("dev", {"models__qwen__weights": {"source": "hub", "token": "hf_s3cr3t"}}, "models.qwen.weights.token", ("not repeated",)),
    ("dev", {"models__qwen__weights": {"source": "bucket", "path": "a/b"}}, "models.qwen.weights.bucket", ("missing", "bucket: ")),
    ("dev", {"models__qwen__weights": {"source": "bucket", "path": "a/b", "bucket": "gs://b"}}, "models.qwen.weights.bucket", ("gs://b", "bare name of a bucket")),
    ("dev", {"models__qwen__extraArgs": {"max-num-seqs": 4}}, "models.qwen.extraArgs.max-num-seqs", ("two hyphens", "Rename it")),
    ("dev", {"pools__t4__kind": DELETE}, "pools.t4", ('no "kind" in {machineType, ', "Add kind: gpu or kind: tpu.")),
    ("dev", {"pools__t4__nodes": 2}, "pools.t4.nodes", ("2 is a number", "Write a map with min, max.")),
    ("dev", {"pools": None}, "pools", ("empty", "Write a map of names to settings.")),
    ("dev", {"cluster__releaseChannel": "REGULER"}, "cluster.releaseChannel", ("'REGULER'", "Write 'REGULAR', or another of 'RAPID'")),
    ("dev", {"gateway__hostname": "https://llm.example.com"}, "gateway.hostname", ("without https://", "hostname: llm.example.com or the like.")),
    ("dev", {"gateway__requestTimeoutSeconds": "30m"}, "gateway.requestTimeoutSeconds", ("is text", "without unit")),
    ("dev", {"models__qwen__memoryUtilization": 90}, "models.qwen.memoryUtilization", ("90", "0.98 is the most", "(--gpu-memory-utilization)")),
    ("dev", {"models__qwen__replicas": True}, "models.qwen.replicas", ("true is a truth value",)),
    ("prod", {"pools__h200__capacity": {"type": "reservation", "name": "r", "subBlock": "s"}}, "pools.h200.capacity.subBlock", ('"s"', "without block", "Name the block")),
    ("dev", {"cluster__environment": "test"}, "cluster.environment", ("'development' or 'production'",)),
    ("dev", {"queues": {}}, "queues", ("unknown key", "cluster")),
    ("dev", {"cluster__project": True}, "cluster.project", ("true is a truth value", 'Put it in quotes: "true".')),
    ("dev", {"models__qwen__engine": "tgi"}, "models.qwen.engine", ("Write 'vllm' or 'kserve' or 'nim'.",)),
    ("prod", {"cluster__location": "us-centrl1"}, "pools.h200.zone", ("in us-centrl1", "with cluster.location: us-central1.")),
]  # fmt: skip


@pytest.mark.parametrize("stack", STANDING)
def test_a_standing_stack_is_accepted(stack: str) -> None:
    load(raw(stack), stack)


@pytest.mark.parametrize(
    ("stack", "edits", "place", "words"), EDITS, ids=[f"{e[0]}-{'-'.join(e[1])}-{i}" for i, e in enumerate(EDITS)]
)
def test_an_edit_that_cannot_work_is_refused_where_it_stands(
    stack: str, edits: dict[str, Any], place: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ProblemsError) as caught:
        load(edited(stack, **edits), stack)
    problems = [problem for problem in caught.value.problems if problem.where == place]
    assert problems, f"nothing was said about {place}: {caught.value}"
    assert any(all(word in str(problem) for word in words) for problem in problems), str(caught.value)


def test_a_section_with_an_encrypted_value_is_refused_before_it_reaches_anything_in_plain_text() -> None:
    with pytest.raises(ProblemsError) as caught:
        load(raw("dev"), "dev", ["gateway", "cluster"])
    assert [problem.where for problem in caught.value.problems] == ["cluster", "gateway"]
    assert "Secret Manager" in str(caught.value)


def test_every_problem_of_form_and_of_substance_is_told_at_once() -> None:
    config = edited(
        "prod",
        pools__h200__gpusPerNode=4,
        cluster__network__rdma="192.168.64.0/18",
        models__kimi__contextLength=9_999_999,
        gateway__hostname="not a host",
    )
    with pytest.raises(ProblemsError) as caught:
        load(config, "prod")
    places = {problem.where for problem in caught.value.problems}
    assert {"pools.h200.gpusPerNode", "cluster.network.rdma", "models.kimi.contextLength", "gateway.hostname"} <= places


def test_a_malformed_cluster_hides_nothing_that_does_not_depend_on_it() -> None:
    config = edited(
        "prod",
        cluster__environment="prod",
        cluster__relaseChannel="REGULAR",
        cluster__network__rdma="192.168.300.0/18",
        pools__h200__gpusPerNode=4,
    )
    with pytest.raises(ProblemsError) as caught:
        load(config, "prod")
    places = [problem.where for problem in caught.value.problems]
    malformed = ["cluster.environment", "cluster.network.rdma", "cluster.relaseChannel"]
    assert sorted(places) == [*malformed, "pools.h200.gpusPerNode"]


@pytest.mark.parametrize("key", ["location", "systemPool"])
def test_nothing_is_derived_from_a_part_of_the_cluster_that_is_malformed(key: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        load(edited("prod", **{f"cluster__{key}": 1, "gateway__picker__cpu": 6}), "prod")
    assert [problem.where for problem in caught.value.problems] == [f"cluster.{key}"]


def test_a_message_never_repeats_what_may_be_a_secret() -> None:
    for edit in (
        {"gateway__apiKey": "s3cr3t"},
        {"gateway": [{"apiKey": "s3cr3t"}]},
        {"models__qwen__weights": {"token": "s3cr3t"}},
    ):
        with pytest.raises(ProblemsError) as caught:
            load(edited("dev", **edit), "dev")
        assert "s3cr3t" not in str(caught.value), edit


def test_every_form_that_the_settings_ask_for_is_told_in_words() -> None:
    asked = set(_patterns(StackSettings.model_json_schema()))
    assert asked == FORMS.keys()


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if "patternProperties" in schema:
            yield from schema["patternProperties"]
        for value in schema.values():
            yield from _patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _patterns(value)


def test_a_model_is_not_blamed_for_naming_a_pool_that_is_malformed() -> None:
    with pytest.raises(ProblemsError) as caught:
        load(edited("dev", pools__t4__nodes="many"), "dev")
    assert [problem.where for problem in caught.value.problems] == ["pools.t4.nodes"]


def test_the_heading_counts_the_problems_and_says_that_nothing_was_created() -> None:
    with pytest.raises(ProblemsError, match=r"^Pulumi\.dev\.yaml: 1 problem; nothing was created\."):
        load(edited("dev", models__qwen__dtype="auto"), "Pulumi.dev.yaml")


def test_a_pool_with_a_fabric_in_another_way_than_its_neighbor_is_refused() -> None:
    config = raw("prod")
    config["pools"]["b200"] = {**config["pools"]["h200"], "machineType": "a4-highgpu-8g", "network": "dranet"}
    config["models"]["second"] = {**config["models"]["kimi"], "pool": "b200"}
    with pytest.raises(ProblemsError, match="Network objects or managed DRANET in a cluster, not both"):
        load(config, "prod")


def test_two_copies_of_a_model_behind_one_gateway_are_refused() -> None:
    config = raw("dev")
    config["models"]["other"] = config["models"]["qwen"]
    with pytest.raises(ProblemsError, match="qwen and other are behind one gateway, which routes"):
        load(config, "dev")


PREFILL: dict[str, Any] = {"models__kimi__parallelism": {"tensor": 8}, "models__kimi__contextLength": 8192}
"""Kimi on one node of eight, as what to add prefill servers to; too large for it, which is another problem."""

PATTERNS: list[Edit] = [
    # data parallel ranks
    ("dev", {"models__qwen__parallelism": {"data": 2}}, "models.qwen.parallelism.data", ("2", "no experts", "replicas")),
    ("prod", {"models__kimi__parallelism": {"data": 2, "tensor": 4, "pipeline": 2}}, "models.kimi.parallelism", ("tensor 4 × pipeline 2 × data 2", "pipeline: 1")),
    ("prod", {"models__kimi__parallelism": {"data": 4, "tensor": 6}}, "models.kimi.parallelism", ("whole data-parallel ranks", "divides 8")),
    ("prod", {"models__kimi__parallelism": {"data": 12}}, "models.kimi.parallelism", ("data 12 = 12", "2 pods of 8 GPUs are 16")),
    ("prod", {"models__kimi__parallelism": {"data": 40}}, "pools.h200.nodes.max", ("kimi takes 40",)),
    ("prod", {"models__kimi__parallelism": {"data": 8}}, "models.kimi", ("does not fit", "of weights")),
    ("prod", {"models__kimi__extraArgs": {"--data-parallel-size": 2}}, "models.kimi.extraArgs", ("Set parallelism.data",)),
    ("prod", {"models__kimi__extraArgs": {"--all2all-backend": "deepep_low_latency"}}, "models.kimi.extraArgs", ("privileged",)),
    # prefill servers
    ("dev", {"models__qwen__prefill": {}, "gateway": None}, "models.qwen.prefill", ("no gateway", "Add a gateway")),
    ("dev", {"models__qwen__prefill": {"replicas": 3}}, "pools.t4.nodes.max", ("qwen takes 1 and qwen.prefill takes 3", "at least 4 nodes")),
    ("dev", {"models__qwen__prefill": {"pool": "l4"}}, "models.qwen.prefill.pool", ('"l4"', "t4")),
    ("dev", {"models__qwen__prefill": {"parallelism": {"tensor": 2}}}, "models.qwen.prefill.parallelism.tensor", ("2", "have 1", "Set it to 1 or less")),
    ("dev", {"models__qwen__prefill": {"minUncachedTokens": 0}}, "models.qwen.prefill.minUncachedTokens", ("0",)),
    ("dev", {"models__qwen__prefill": {}, "models__qwen-prefill": {"model": "Qwen/Qwen3-0.6B", "pool": "t4", "dtype": "half", "contextLength": 4096, "memoryUtilization": 0.85, "weights": {"source": "hub"}}}, "models.qwen.prefill", ('called "qwen-prefill"', "Rename")),
    ("prod", {"models__kimi__prefill": {}}, "models.kimi.parallelism.pipeline", ("2", "pipeline stages", "Set pipeline: 1")),
    ("prod", {"models__kimi__prefill": {}}, "models.kimi.prefill.parallelism.pipeline", ("2", "pipeline stages")),
    ("prod", {**PREFILL, "models__kimi__prefill": {"parallelism": {"tensor": 6}}}, "models.kimi.prefill.parallelism.tensor", ("6", "divisor of 8")),
    ("prod", {**PREFILL, "models__kimi__prefill": {"replicas": 4}}, "pools.h200.nodes.max", ("kimi takes 8 and kimi.prefill takes 32",)),
    ("prod", {**PREFILL, "models__kimi__prefill": {"parallelism": {"tensor": 4}}}, "models.kimi.prefill", ("does not fit",)),
    ("dev", {"models__qwen__extraArgs": {"--kv-transfer-config": "{}"}}, "models.qwen.extraArgs", ("Set prefill",)),
    # following the caches
    ("dev", {"gateway__picker__prefixCache": "exact"}, "gateway.picker.prefixCache", ("'exact'", "'approximate' or 'precise'")),
    ("dev", {"gateway__picker__prefixCache": "precise"}, "gateway.picker.cpu", ("1", "takes 4", "larger cluster.systemPool.machineType")),
    ("prod", {"gateway__picker__prefixCache": "precise", "models__kimi__parallelism": {"data": 16}}, "gateway.picker.prefixCache", ("data-parallel rank of models.kimi", "approximate")),
    ("prod", {"gateway__picker__prefixCache": "precise", "models__kimi__model": "meta-llama/Llama-3.1-405B-Instruct"}, "gateway.picker.prefixCache", ("gated", "without a token")),
    ("prod", {"gateway__picker__prefixCache": "precise", "gateway__picker__cpu": 3}, "gateway.picker.cpu", ("3", "Lower it to 2")),
    ("dev", {"models__qwen__extraArgs": {"--kv-events-config": "{}"}}, "models.qwen.extraArgs", ("Set gateway.picker.prefixCache",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stack", "edits", "place", "words"), PATTERNS, ids=[f"{e[0]}-{'-'.join(e[1])}-{i}" for i, e in enumerate(PATTERNS)]
)
def test_a_pattern_that_cannot_work_is_refused_where_it_stands(
    stack: str, edits: dict[str, Any], place: str, words: tuple[str, ...]
) -> None:
    test_an_edit_that_cannot_work_is_refused_where_it_stands(stack, edits, place, words)


TPU_EDITS: list[Edit] = [
    ("kserve-tpu-v6e", {"pools__v6e__topology": "3x3"}, "pools.v6e.topology", ("no topology '3x3'", "Choose one of 1x1, 2x2")),
    ("kserve-tpu-v6e", {"pools__v6e__generation": "v7e"}, "pools.v6e.generation", ("no such TPU", "v5p, v6e")),
    ("kserve-tpu-v6e", {"models__qwen__parallelism": {"tensor": 2}}, "models.qwen.parallelism.tensor", ("leave 2 of them idle", "Set tensor: 4.")),
    ("kserve-tpu-v6e", {"models__qwen__parallelism": {"tensor": 1}}, "models.qwen.parallelism.tensor", ("Set tensor: 4, or a topology of 1 chip.",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stack", "edits", "place", "words"), TPU_EDITS, ids=[f"{'-'.join(e[1])}-{i}" for i, e in enumerate(TPU_EDITS)]
)
def test_a_slice_that_cannot_work_is_the_only_problem(
    stack: str, edits: dict[str, Any], place: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(ProblemsError) as caught:
        load(edited(stack, **edits), stack)
    (problem,) = caught.value.problems
    assert problem.where == place
    assert all(word in str(problem) for word in words), str(problem)
