from __future__ import annotations

import pytest

from inference.rules.group_members import (
    pods_resolve_names,
    variables_reach_program,
    workers_find_leader,
    workers_retry_leader,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, group_container, leader_worker_set

SCRIPT = "/vllm-workspace/examples/online_serving/multi-node-serving.sh"


def worker(changes):
    return leader_worker_set(worker={"containers": [changes]})


def shell(text, **more):
    return container({"command": ["/bin/bash", "-c"], "args": [text]} | more)


def test_a_group_as_it_should_be_is_silent():
    for rule in (variables_reach_program, workers_find_leader, workers_retry_leader, pods_resolve_names):
        assert not findings(rule, leader_worker_set())


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["bash", "-c"], "args": [f"bash {SCRIPT} leader --ray_cluster_size=\\${{LWS_GROUP_SIZE}}"]},
        {"command": ["bash", "-c", "vllm serve m -pp \\${LWS_GROUP_SIZE}"], "args": None},
        {"command": ["bash", "-c", "vllm serve m -pp '${LWS_GROUP_SIZE}'"], "args": None},
        {"args": ["--pipeline-parallel-size", "$$(LWS_GROUP_SIZE)"]},
        {"args": ["--pipeline-parallel-size=${LWS_GROUP_SIZE}"]},
        {"args": ["--nnodes", "$LWS_GROUP_SIZE"]},
        {"command": ["sh", "-c", "vllm serve m -pp $$(LWS_GROUP_SIZE)"], "args": None},
        {"env": [{"name": "GROUP", "value": "${LWS_GROUP_SIZE}"}]},
        {"command": ["bash", "-c"], "args": [f"bash {SCRIPT} leader --ray_cluster_size="]},
    ],
)
def test_a_variable_that_arrives_as_text_is_found(changes):
    found = findings(variables_reach_program, leader_worker_set(containers=[container(changes)]))
    assert len(found) == 2
    assert "the leader of" in found[0]
    assert "LWS_GROUP_SIZE" in found[0]


def test_a_variable_of_the_group_that_nobody_sets_is_found():
    for text in ("vllm serve m -pp $LWS_GROUPSIZE", "vllm serve m --nnodes ${LWS_SIZE}"):
        (found, _) = findings(variables_reach_program, leader_worker_set(containers=[shell(text)]))
        assert "which nobody sets" in found
    own = {"env": [{"name": "LWS_PORT", "value": "1"}]}
    for silent in (
        shell("vllm serve m --port $LWS_PORT", **own),
        shell("LWS_N=2\nvllm serve m -pp $LWS_N"),
        shell("vllm serve m -pp ${LWS_N:-2}"),
    ):
        assert not findings(variables_reach_program, leader_worker_set(containers=[silent]))
    assert not findings(variables_reach_program, deployment(containers=[shell("vllm serve m -pp $LWS_N")]))


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["bash", "-c"], "args": ["vllm serve m -pp ${LWS_GROUP_SIZE}"]},
        {"command": ["bash", "-c"], "args": ['vllm serve m -pp "$LWS_GROUP_SIZE"']},
        {"command": ["bash", "-c"], "args": ["vllm serve m -pp $(LWS_GROUP_SIZE)"]},
        {"args": ["--nnodes=$(LWS_GROUP_SIZE)"]},
        {"env": [{"name": "GROUP", "value": "$(LWS_GROUP_SIZE)"}]},
        {"command": ["bash", "-c"], "args": ["echo 'uses ${LWS_GROUP_SIZE}'; vllm serve m"]},
        {"command": ["bash", "-c"], "args": ["envsubst '${LWS_GROUP_SIZE}' < a > b; vllm serve m"]},
        {"command": ["bash", "-c"], "args": ["# \\${LWS_GROUP_SIZE}\nvllm serve m"]},
        {"env": [{"name": "LD_LIBRARY_PATH", "value": "${LD_LIBRARY_PATH}:/usr/local/nvidia/lib64"}]},
        {"command": UNKNOWN, "args": UNKNOWN},
    ],
)
def test_a_variable_that_somebody_replaces_is_silent(changes):
    assert not findings(variables_reach_program, leader_worker_set(containers=[container(changes)]))


def test_a_variable_of_the_container_itself_counts_for_its_server():
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    literal = container({"env": env, "args": ["--host=${POD_IP}"]})
    (found,) = findings(variables_reach_program, deployment(containers=[literal]))
    assert "$(POD_IP)" in found
    assert not findings(
        variables_reach_program, deployment(containers=[container({"env": env, "args": ["--host=$(POD_IP)"]})])
    )
    chained = [*env, {"name": "VLLM_HOST_IP", "value": "${POD_IP}"}]
    assert findings(variables_reach_program, deployment(containers=[container({"env": chained})]))


def test_a_program_that_reads_dollars_itself_is_silent():
    collector = {
        "name": "otel",
        "image": "otel/opentelemetry-collector:0.100.0",
        "args": ["--set=receivers.otlp.endpoint=${MY_POD_IP}:4317"],
        "env": [{"name": "MY_POD_IP", "value": "1"}, {"name": "OTHER", "value": "${MY_POD_IP}"}],
    }
    assert not findings(variables_reach_program, deployment(containers=[collector]))


@pytest.mark.parametrize(
    "changes",
    [
        group_container({"args": ["-n", "2", "-r", "1", "--headless", "--master-addr", "llama-0.llama"]}, worker=True),
        group_container({"args": ["--nnodes=2", "--headless", "--master-addr=10.0.0.5"]}, worker=True),
        group_container({"args": ["--nnodes=2", "--headless", "--master_addr", "127.0.0.1"]}, worker=True),
        group_container({"args": ["-dp", "16", "-dpl", "8", "--headless", "-dpa", "llama-0"]}, worker=True),
        shell(f"bash {SCRIPT} worker --ray_address=llama-0.llama"),
        shell("until ray start --address llama-0:6379 --block; do sleep 5; done"),
        shell("until ray start --address=10.1.2.3:6379 --block; do sleep 5; done"),
        container(
            {
                "image": "lmsysorg/sglang:v0.5.0",
                "command": [
                    "python3",
                    "-m",
                    "sglang.launch_server",
                    "--model-path",
                    "m",
                    "--dist-init-addr",
                    "sgl-0:20000",
                ],
                "args": None,
            }
        ),
    ],
)
def test_a_worker_with_a_fixed_leader_is_found(changes):
    (found,) = findings(workers_find_leader, worker(changes))
    assert "the worker of" in found
    assert "LWS_LEADER_ADDRESS" in found


@pytest.mark.parametrize(
    ("args", "option"),
    [
        (["--nnodes=2", "--node-rank=1", "--headless"], "--master-addr"),
        (["-dp", "16", "-dpl", "8", "-dpr", "8", "--headless"], "--data-parallel-address"),
        (["-dp", "16", "-dpl", "8", "-dpr", "8", "--data-parallel-hybrid-lb"], "--data-parallel-address"),
    ],
)
def test_a_worker_without_an_address_is_found(args, option):
    (found,) = findings(workers_find_leader, worker(group_container({"args": args}, worker=True)))
    assert option in found


@pytest.mark.parametrize(
    "changes",
    [
        shell(f"bash {SCRIPT} worker --ray_address=$(LWS_LEADER_ADDRESS)"),
        shell("until ray start --address=$LWS_LEADER_ADDRESS:6379 --block; do sleep 5; done"),
        shell("export L=${LWS_LEADER_ADDRESS}; until ray start --address=$L:6379 --block; do sleep 5; done"),
        shell("ray start --address=auto; sleep inf"),
        group_container(
            {"args": ["-dp", "16", "-dpl", "8", "--headless", "-dpa", "$(LWS_LEADER_ADDRESS)"]}, worker=True
        ),
        group_container({"args": UNKNOWN}, worker=True),
        group_container(
            {
                "args": ["--nnodes=2", "--headless", "--master-addr=$(LEADER)"],
                "env": [{"name": "LEADER", "value": "$(LWS_LEADER_ADDRESS)"}],
            },
            worker=True,
        ),
        {"name": "other", "image": "busybox"},
    ],
)
def test_a_worker_that_asks_for_its_own_leader_is_silent(changes):
    assert not findings(workers_find_leader, worker(changes))


def test_a_leader_may_name_itself():
    group = leader_worker_set(
        leader={"containers": [group_container({"args": ["--nnodes=2", "--master-addr=0.0.0.0"]})]}
    )
    assert not findings(workers_find_leader, group)


def test_ray_that_starts_once_is_found_and_one_that_waits_is_not():
    address = "--address=$LWS_LEADER_ADDRESS:6379 --block"
    once = shell(f"ray start {address}")
    assert "until ray start" in findings(workers_retry_leader, worker(once))[0]
    assert not findings(workers_retry_leader, worker(shell(f"until ray start {address}; do sleep 2; done")))
    assert not findings(workers_retry_leader, worker(shell(f"sleep 60 && ray start {address}")))
    assert not findings(workers_retry_leader, worker(shell(f"bash {SCRIPT} worker --ray_address=$LWS_LEADER_ADDRESS")))
    waiting = leader_worker_set(worker={"containers": [once], "initContainers": [{"name": "wait", "image": "busybox"}]})
    assert not findings(workers_retry_leader, waiting)
    later = leader_worker_set(worker={"containers": [once]}, spec={"startupPolicy": "LeaderReady"})
    assert not findings(workers_retry_leader, later)


@pytest.mark.parametrize(
    "pod", [{"dnsPolicy": "Default"}, {"hostNetwork": True}, {"hostNetwork": "true", "dnsPolicy": "ClusterFirst"}]
)
def test_pods_that_cannot_resolve_their_leader_are_found(pod):
    found = findings(pods_resolve_names, leader_worker_set(worker=pod))
    assert len(found) == 1
    assert "the worker of" in found[0]
    assert len(findings(pods_resolve_names, leader_worker_set(leader=pod, worker=pod))) == 2


def test_the_workers_of_kserve_resolve_names_too():
    pod = {"containers": [container({"name": "main"})], "hostNetwork": True}
    spec = {"template": pod, "worker": pod, "parallelism": {"data": 16, "dataLocal": 8}}
    assert (
        len(findings(pods_resolve_names, custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", spec))) == 2
    )


@pytest.mark.parametrize(
    "pod",
    [
        {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
        {"hostNetwork": True, "dnsPolicy": UNKNOWN},
        {"hostNetwork": UNKNOWN},
        {"dnsPolicy": "ClusterFirst"},
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}},
    ],
)
def test_pods_that_resolve_names_are_silent(pod):
    assert not findings(pods_resolve_names, leader_worker_set(leader=pod, worker=pod))


def test_a_pod_alone_may_use_the_resolver_of_its_node():
    assert not findings(pods_resolve_names, deployment(pod={"dnsPolicy": "Default"}))
    assert not findings(pods_resolve_names, leader_worker_set(size=1, leader={"dnsPolicy": "Default"}))
