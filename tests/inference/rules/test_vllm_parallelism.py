from __future__ import annotations

import pytest

from inference.rules.views.values import UNKNOWN
from inference.rules.vllm_parallelism import (
    data_parallel_agrees,
    experts_divide,
    group_agrees,
    nodes_agree,
    sizes_fill_accelerators,
    sizes_suit_model,
    tensor_stays_in_node,
)
from tests.inference.rules.cases import (
    changed,
    container,
    custom,
    deployment,
    findings,
    group_container,
    leader_worker_set,
    workload,
)

RULES = (
    data_parallel_agrees,
    experts_divide,
    group_agrees,
    nodes_agree,
    sizes_fill_accelerators,
    sizes_suit_model,
    tensor_stays_in_node,
)
RAY_LEADER = "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh leader --ray_cluster_size=2\n"
RAY_WORKER = (
    "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh worker --ray_address=$LWS_LEADER_ADDRESS"
)


def gpus(count):
    return {"resources": {"requests": {"nvidia.com/gpu": count}, "limits": {"nvidia.com/gpu": count}}}


def tpus(count):
    amount = {"google.com/tpu": count, "nvidia.com/gpu": None}
    return {"resources": {"requests": amount, "limits": amount}}


def serving(*args, count="8", model="acme/model", **changes):
    return deployment(
        containers=[container({"command": ["vllm", "serve", model], "args": list(args)} | gpus(count) | changes)]
    )


def ray_group(arguments, size=2):
    leader = group_container({"command": ["bash", "-c"], "args": [RAY_LEADER + "vllm serve acme/m " + arguments]})
    worker = group_container({"command": ["bash", "-c"], "args": [RAY_WORKER]}, worker=True)
    return leader_worker_set(size=size, leader={"containers": [leader]}, worker={"containers": [worker]})


def group(*args, size=2, worker_args=None, model="acme/m", **changes):
    rank = ["--nnodes=$(LWS_GROUP_SIZE)", "--node-rank=$(LWS_WORKER_INDEX)", "--master-addr=$(LWS_LEADER_ADDRESS)"]
    command = {"command": ["vllm", "serve", model]}
    leader = group_container(changed(command | {"args": [*args, *rank]}, changes))
    others = [*(worker_args if worker_args is not None else (*args, *rank)), "--headless"]
    worker = group_container(changed(command | {"args": others}, changes), worker=True)
    return leader_worker_set(size=size, leader={"containers": [leader]}, worker={"containers": [worker]})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_servers_as_they_should_be_are_silent(rule):
    assert not findings(rule, deployment(), leader_worker_set())


# The product


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (serving("--tensor-parallel-size=4"), "the other 4 idle"),
        (serving(), "the other 7 idle"),
        (serving("-tp", "16"), "needs 16 GPUs"),
        (serving("-tp", 4.0, "-pp", "4"), "needs 16 GPUs (tensor 4 × pipeline 4)"),
        (serving("--tensor_parallel_size", "8", "--data-parallel-size", "2"), "needs 16"),
        (serving("-dp", "16", "-dpl", "4", "-dpr", "4", "--data-parallel-hybrid-lb"), "uses 4 GPUs"),
        (serving(command=["sh", "-c", "vllm serve m --tensor-parallel-size=2"], args=None), "the other 6"),
        (serving("-tp", "2", **tpus(4)), "2 TPU chips"),
        (ray_group("--tensor-parallel-size 8"), "the other 8 idle"),
        (ray_group("--tensor-parallel-size 16 --pipeline-parallel-size 2"), "needs 32"),
        (ray_group("-tp 8 -pp 2", size=3), "its 3 pods have 24"),
        (group("-tp=8"), "uses 8 GPUs"),
        (group("-tp=8", "-pp=4"), "needs 32"),
    ],
)
def test_sizes_that_do_not_fill_the_accelerators_are_found(made, says):
    (found,) = findings(sizes_fill_accelerators, made)
    assert says in found


def test_other_workload_kinds_are_judged_too():
    body = {"containers": [container({"args": ["-tp=4"]} | gpus("8"))]}
    for token, api, kind in (
        ("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet"),
        ("kubernetes:apps/v1:DaemonSet", "apps/v1", "DaemonSet"),
        ("kubernetes:batch/v1:Job", "batch/v1", "Job"),
    ):
        assert findings(sizes_fill_accelerators, workload(token, api, kind, "x", {"template": {"spec": body}}, None))
    assert findings(sizes_fill_accelerators, workload("kubernetes:core/v1:Pod", "v1", "Pod", "x", body, None))
    jobs = [{"name": "a", "template": {"spec": {"template": {"spec": body}}}}]
    assert findings(
        sizes_fill_accelerators, custom("jobset.x-k8s.io/v1alpha2", "JobSet", "x", {"replicatedJobs": jobs})
    )


@pytest.mark.parametrize(
    "made",
    [
        serving("-tp=8"),
        serving("-tp=2", "-pp=2", "-dp=2"),
        serving("-tp=8", count=8.0),
        serving("-tp=$(TP)"),
        serving("--config", "/config.yaml"),
        serving(args=UNKNOWN),
        serving("-tp=4", count=UNKNOWN),
        serving("-tp=8", resources=None),
        serving("-tp=4", env=[{"name": "CUDA_VISIBLE_DEVICES", "value": "0,1,2,3"}]),
        serving("-dp=16", "-dpl=8", "-dpr=8", "--data-parallel-hybrid-lb"),
        serving("-dp=16", "-dpn=3", count=1),
        serving("-tp=8", "-pp=2", "--nnodes=2", "--node-rank=$(RANK)", "--master-addr=x"),
        serving("-tp=16", "--distributed-executor-backend=ray"),
        serving("-tp=4", **tpus(4)),
        serving("-tp=8", **tpus(4)),
        serving(image="nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.3", command=None, args=None),
        ray_group("--tensor-parallel-size 8 --pipeline_parallel_size ${LWS_GROUP_SIZE}"),
        ray_group("--tensor-parallel-size 8 --pipeline-parallel-size $(LWS_GROUP_SIZE)", size=4),
        ray_group("--tensor-parallel-size 16"),
        group("-tp=8", "-pp=$(LWS_GROUP_SIZE)"),
        group("-tp=8", "-pp=2", size=UNKNOWN),
        leader_worker_set(containers=[group_container({"args": ["-tp=8"]})]),
        group("-tp=16", "-dp=4", "-dpn=$(RANK)"),
    ],
)
def test_sizes_that_fill_them_or_are_not_known_are_silent(made):
    assert not findings(sizes_fill_accelerators, made)


def test_data_parallel_groups_count_all_their_pods():
    script = (
        "exec vllm serve deepseek-ai/DeepSeek-R1 --data-parallel-size $((LWS_GROUP_SIZE * 8)) "
        "--data-parallel-size-local 8 --data-parallel-address $(LWS_LEADER_ADDRESS) --data-parallel-start-rank "
        "$((LWS_WORKER_INDEX * 8)) --data-parallel-hybrid-lb --enable-expert-parallel"
    )
    wide = leader_worker_set(containers=[group_container({"command": ["bash", "-c"], "args": [script]})])
    for rule in RULES:
        assert not findings(rule, wide)


def test_kserve_spreads_a_replica_itself():
    def service(parallelism, **more):
        main = {"name": "main"} | gpus("8")
        spec = {"model": {"uri": "hf://a/b"}, "parallelism": parallelism, "template": {"containers": [main]}} | more
        return custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", spec)

    worker = {"worker": {"containers": [{"name": "main"} | gpus("8")]}}
    assert not findings(sizes_fill_accelerators, service({"tensor": 8}))
    assert not findings(sizes_fill_accelerators, service({"tensor": 8, "pipeline": 2}, **worker))
    assert not findings(sizes_fill_accelerators, service({"tensor": 1, "data": 16, "dataLocal": 8}, **worker))
    assert findings(sizes_fill_accelerators, service({"tensor": 4}))


# Across pods


def test_tensor_parallelism_over_the_pod_network_is_found():
    (found,) = findings(tensor_stays_in_node, ray_group("--tensor-parallel-size 16"))
    assert "--pipeline-parallel-size 2" in found


def test_tensor_parallelism_over_a_fabric_is_silent():
    def spread(**changes):
        arguments = {"args": ["-tp=16", "--nnodes=2"], "command": ["vllm", "serve", "m"]}
        return leader_worker_set(containers=[group_container(arguments | changes.pop("made", {}))], **changes)

    annotations = {"networking.gke.io/interfaces": '[{"interfaceName": "eth2", "network": "rdma-0"}]'}
    gb200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-gb200"}}
    claims = {"resourceClaims": [{"name": "nic", "resourceClaimTemplateName": "nics"}]}
    assert findings(tensor_stays_in_node, spread())
    assert not findings(tensor_stays_in_node, spread(annotations=annotations))
    assert not findings(tensor_stays_in_node, spread(leader=gb200))
    assert not findings(tensor_stays_in_node, spread(leader=claims))
    assert not findings(tensor_stays_in_node, spread(made=tpus(4)))


def test_sglang_is_published_with_tensor_parallelism_over_nodes():
    command = "python3 -m sglang.launch_server --model-path m --tp 16 --nnodes 2 --node-rank $LWS_WORKER_INDEX"
    made = group_container({"image": "lmsysorg/sglang:v0.5.3", "command": ["sh", "-c", command], "args": None})
    assert not findings(tensor_stays_in_node, leader_worker_set(containers=[made]))


def test_ray_workers_of_another_image_are_found():
    leader = group_container({"command": ["bash", "-c"], "args": [RAY_LEADER + "vllm serve acme/m -tp=8 -pp=2"]})
    worker = group_container({"command": ["bash", "-c"], "args": [RAY_WORKER]}, worker=True)

    def of(image):
        return leader_worker_set(
            leader={"containers": [leader]}, worker={"containers": [changed(worker, {"image": image})]}
        )

    assert not findings(group_agrees, of(leader["image"]))
    assert not findings(group_agrees, of(UNKNOWN))
    assert "another version" in findings(group_agrees, of("vllm/vllm-openai:v0.10.2"))[0]


@pytest.mark.parametrize("shards", ["2", "8"])
def test_shards_of_another_engine_fill_its_gpus(shards):
    def made(number):
        image = {"image": "ghcr.io/huggingface/text-generation-inference:3.3.4", "command": None}
        env = {"env": [{"name": "MODEL_ID", "value": "acme/m"}, {"name": "NUM_SHARD", "value": number}]}
        return deployment(containers=[container(image | {"args": ["--port=8000"]} | env | gpus("4"))])

    assert findings(sizes_fill_accelerators, made(shards))
    assert not findings(sizes_fill_accelerators, made("4"))
    assert not findings(sizes_fill_accelerators, made(UNKNOWN))


# The model


def test_heads_and_layers_set_limits():
    (found,) = findings(sizes_suit_model, serving("-tp=8", model="Qwen/Qwen2.5-7B-Instruct"))
    assert "28 attention heads" in found
    assert "1, 2, 4" in found
    assert findings(sizes_suit_model, serving("-tp=1", "-pp=100", model="Qwen/Qwen2.5-7B-Instruct"))
    assert not findings(sizes_suit_model, serving("-tp=4", model="Qwen/Qwen2.5-7B-Instruct"))
    assert not findings(sizes_suit_model, serving("-tp=3", model="acme/unknown"))


# Nodes


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (group("-tp=8", "-pp=2", "--distributed-executor-backend=ray"), "ray"),
        (group("-tp=3", "-pp=1"), "does not divide"),
        (group("-tp=8", "-pp=2", size=3), "does not divide"),
        (group("-tp=8", "-pp=2", worker_args=["-tp=8", "-pp=2", "--nnodes=2", "--master-addr=x"]), "rank 0"),
        (
            group("-tp=8", "-pp=2", worker_args=["-tp=8", "-pp=2", "--nnodes=2", "-r=2", "--master-addr=x"]),
            "begin at 0",
        ),
        (group("-tp=8", "-pp=3", size=3, worker_args=["-tp=8", "-pp=3", "-n=3", "-r=1"]), "the same rank"),
        (group("-tp=8", "-pp=2", "--headless"), "nobody answers"),
        (group("-tp=8", "-pp=2", worker_args=["-tp=8", "-pp=2", "--nnodes=4", "-r=1"]), "its group has 2 pods"),
    ],
)
def test_nodes_that_do_not_agree_are_found(made, says):
    assert any(says in found for found in findings(nodes_agree, made))


def test_a_worker_that_is_not_headless_is_found():
    every = group_container({"args": ["-tp=8", "-pp=2", "--nnodes=2", "--node-rank=$(LWS_WORKER_INDEX)"]})
    (found,) = findings(nodes_agree, leader_worker_set(containers=[every]))
    assert "Add --headless" in found


@pytest.mark.parametrize(
    "made",
    [
        group("-tp=8", "-pp=$(LWS_GROUP_SIZE)"),
        group("-tp=8", "-pp=2", "--distributed-executor-backend=mp"),
        group("-tp=1", "-dp=16"),
        group("-tp=8", "-pp=2", worker_args=["-tp=8", "-pp=2", "-n=2", "-r=1"]),
        ray_group("-tp 8 -pp 2 --distributed-executor-backend ray"),
        serving("-tp=8"),
    ],
)
def test_nodes_that_agree_are_silent(made):
    assert not findings(nodes_agree, made)


def test_leader_and_workers_run_the_same():
    rank = ["--nnodes=2", "--node-rank=1"]
    (found,) = findings(group_agrees, group("-tp=8", "-pp=2", worker_args=["-tp=4", "-pp=2", *rank]))
    assert "--tensor-parallel-size 8 in its leader and 4" in found
    older = group_container({"image": "vllm/vllm-openai:v0.31.0"}, worker=True)
    assert "image" in findings(group_agrees, leader_worker_set(worker={"containers": [older]}))[0]
    assert not findings(group_agrees, ray_group("-tp 8 -pp 2"))
    assert not findings(group_agrees, group("-tp=8", "-pp=2", worker_args=["-tp=$(TP)", "-pp=2", *rank]))


# Data parallelism


@pytest.mark.parametrize(
    "args",
    [
        ["-dp=16", "-dpl=8", "--data-parallel-hybrid-lb", "--headless"],
        ["-dp=16", "-dpl=1", "--data-parallel-hybrid-lb", "--data-parallel-external-lb", "-dpn=1"],
        ["-dp=16", "--data-parallel-hybrid-lb"],
        ["-dp=16", "--data-parallel-external-lb"],
        ["-dp=16", "-dpn=2", "-dpl=8"],
        ["-dp=1", "--data-parallel-external-lb", "-dpn=0"],
        ["-dp=4", "-dpl=8"],
        ["-dp=4", "-dpn=4"],
        ["-dp=16", "-dpl=8", "--headless", "--api-server-count=4"],
        ["-dp=4", "-dpn=1", "--model", "Qwen/Qwen3-8B"],
    ],
)
def test_data_parallel_options_that_contradict_each_other_are_found(args):
    assert len(findings(data_parallel_agrees, serving(*args, command=["vllm", "serve"]))) == 1


@pytest.mark.parametrize(
    "args",
    [
        ["-dp=8"],
        ["-dp=16", "-dpl=8", "--headless", "-dpa=$(LWS_LEADER_ADDRESS)", "-dpr=8"],
        ["-dp=16", "-dpl=8", "--data-parallel-hybrid-lb", "-dpr=8"],
        ["-dp=16", "-dpn=$(RANK)", "--model", "deepseek-ai/DeepSeek-R1"],
        ["-dp=16", "--data-parallel-external-lb", "--nnodes=2", "--node-rank=$(RANK)"],
        ["-dp=16", "-dpl=8", "--data-parallel-multi-port-external-lb", "-dpr=0"],
        ["-dp=$(DP)", "-dpl=8"],
    ],
)
def test_data_parallel_options_that_go_together_are_silent(args):
    assert not findings(data_parallel_agrees, serving(*args, command=["vllm", "serve"]))


# Experts


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--enable-expert-parallel", "-dp=3"], "over 3 ranks"),
        (["-ep", "-tp=8", "-dp=3"], "over 24 ranks"),
        (["--enable_expert_parallel", "-dp=24", "-dpl=8"], "over 24 ranks"),
        (
            ["-ep", "-dp=16", "--enable-eplb", "--eplb-config", '{"num_redundant_experts": 24}'],
            "and 24 redundant ones",
        ),
        (["--enable-eplb", "-dp=8"], "--enable-expert-parallel"),
        (["-ep", "-dp=8", "--eplb-config.num_redundant_experts=32"], "--enable-eplb"),
    ],
)
def test_experts_that_do_not_come_out_even_are_found(args, says):
    (found,) = findings(experts_divide, serving(*args, model="deepseek-ai/DeepSeek-R1"))
    assert says in found


@pytest.mark.parametrize(
    "args",
    [
        ["-ep", "-dp=16"],
        ["-ep", "-tp=8", "-dp=4"],
        ["-dp=3"],
        ["-ep", "-dp=$(DP)"],
        ["-ep", "-dp=24", "--enable-eplb", "--eplb-config", '{"num_redundant_experts": 32}'],
        ["-ep", "-dp=24", "--enable-eplb", "--eplb-config", "$(EPLB)"],
    ],
)
def test_experts_that_come_out_even_are_silent(args):
    assert not findings(experts_divide, serving(*args, model="deepseek-ai/DeepSeek-R1"))
    assert not findings(experts_divide, serving("-ep", "-dp=3", model="acme/unknown"))
