"""The model server in a container, whatever the spelling: vLLM."""

from __future__ import annotations

from typing import Any

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Props, Secret
from tests.inference.rules.views.serving_cases import API, deployment, env, group, only, servers, serving

VLLM: list[dict[str, Any]] = [
    {"command": ["vllm", "serve", "m", "-tp", "8"]},
    {"command": ["vllm"], "args": ["serve", "m", "--tensor-parallel-size=8"]},
    {"command": ["/usr/local/bin/vllm", "serve"], "args": ["m", "--tensor_parallel_size", "8"]},
    {"command": ["python3", "-m", API], "args": ["--model=m", "--tensor-parallel-size", "8"]},
    {"command": ["python", "-u", "-m", API, "--model", "m", "-tp=8"]},
    {"command": ["python3.12", f"-m{API}", "--model", "m", "-tp", "8"]},
    {"command": ["python3", "-X", "dev", "-m", "vllm.entrypoints.api_server", "--model", "m", "-tp", "8"]},
    {"command": ["python3", "-m", "vllm.entrypoints.cli.main", "serve", "m", "-tp", "8"]},
    {"command": ["python3", "/opt/vllm/entrypoints/openai/api_server.py", "--model", "m", "-tp", "8"]},
    {"args": ["--model", "m", "--tensor-parallel-size", "8"]},
    {"args": ["serve", "m", "-tp", "8"]},
    {"args": ["org/m", "-tp", "8"]},
    {"args": ["vllm", "serve", "m", "-tp", "8"]},
    {"args": ["bash", "-c", "vllm serve m -tp 8"]},
    {"image": "x/llm-d-cuda:v1", "command": ["bash", "-c", "exec vllm serve m -tp $TP"], "env": env(TP="8")},
    {"image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0", "args": ["--model", "m", "-tp", "8"]},
    {"image": "host:5000/team/my-vllm-server@sha256:0", "args": ["--model", "m", "-tp", "8"]},
    {"image": "registry.redhat.io/rhaiis/vllm-tpu-rhel9:3.2.5", "args": ["--model", "m", "-tp", "8"]},
    {
        "image": "vllm/vllm-tpu:v0.11.1",
        "resources": {"limits": {"google.com/tpu": 8}},
        "command": ["vllm", "serve", "m", "-tp", "8"],
    },
    {"image": UNKNOWN, "command": ["vllm", "serve", "m", "-tp", "8"]},
    {"image": "custom", "command": ["bash", "-c", "set -e\ncat x\npython3 -m " + API + " \\\n --model m \\\n -tp 8"]},
    {"command": ["bash", "-c", "bash /x/multi-node-serving.sh leader --ray_cluster_size=2; vllm serve m -tp 8"]},
    {"command": ["bash", "-c", "uv run vllm serve m -tp 8"]},
    {"command": ["nsys", "profile", "-o", "x", "vllm", "serve", "m", "-tp", "8"]},
    {"command": ["opentelemetry-instrument", "python3", "-m", API, "--model", "m", "-tp", "8"]},
    {"command": ["bash", "-c", 'exec "$@"', "--", "vllm", "serve"], "args": ["m", "-tp", "8"]},
    {"command": ["bash", "-c", "vllm serve m $ARGS"], "env": env(ARGS="-tp 8 --dtype half")},
    {"command": [Secret("vllm"), "serve", "m", "-tp", Secret("8")]},
    {"command": ["bash", "-c", "vllm bench serve; vllm serve m -tp 8"]},
]


@pytest.mark.parametrize("container", VLLM)
def test_vllm_is_found_in_every_spelling(container: dict[str, Any]) -> None:
    server = only(deployment(**container))
    assert server.engine == "vllm"
    assert (server.model or "").removeprefix("org/") == "m"
    assert server.tensor == server.world_size == 8
    assert server.serves_http
    assert server.port == 8000
    assert server.health_path == "/health"


NOT_SERVERS: list[dict[str, Any]] = [
    {"command": ["vllm", "bench", "serve", "--model", "m"]},
    {"command": ["vllm", "launch", "render", "m"]},
    {"command": ["vllm", "--version"]},
    {"command": ["vllm", "serve", "--help"]},
    {"command": ["python3", "-m", API, "--help"]},
    {"command": ["python3", "-m", "vllm.entrypoints.openai.run_batch"]},
    {"command": ["python3", "benchmark_serving.py", "--model", "m"]},
    {"command": ["sleep", "infinity"]},
    {"command": ["bash", "-c", "source /x/env.sh; sleep infinity"]},
    {"command": ["bash", "-c", "echo vllm serve m"]},
    {"command": ["bash", "-c", "pkill -f vllm serve; curl localhost"]},
    {"command": ["bash", "-c", "pip install vllm && python3 train.py"]},
    {"command": ["huggingface-cli", "download", "m"]},
    {"command": ["bash", "-c", "# vllm serve m\nsleep 1"]},
    {"command": ["bash", "-c", "cat <<EOF\nvllm serve m\nEOF"]},
    {"args": ["bench", "serve"]},
    {"args": ["launch", "render"]},
    {"args": ["--version"]},
    {"args": ["/start.sh"]},
    {"image": "curlimages/curl:8", "args": ["http://vllm:8000/v1/models"]},
    {"image": "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.9.0", "args": ["--pool-name", "vllm"]},
    {"image": "ghcr.io/llm-d/llm-d-routing-sidecar:v0.3.0", "args": ["--port=8000", "--vllm-port=8200"]},
    {"image": "ghcr.io/llm-d/llm-d-inference-sim:v1", "args": ["--model", "m"]},
    {"image": "x/vllm-benchmark:1", "args": ["--model", "m"]},
    {"image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0"},
    {"image": "nginx"},
    {"image": UNKNOWN, "args": ["--model", "m"]},
    {"image": "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3", "command": ["download-to-cache"]},
    {"image": "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3", "args": ["list-model-profiles"]},
]


@pytest.mark.parametrize("container", NOT_SERVERS)
def test_what_only_looks_like_a_server_is_none(container: dict[str, Any]) -> None:
    assert servers(deployment(**container)) == ()


def test_an_init_container_is_a_server_only_as_a_sidecar() -> None:
    for policy, count in ((None, 0), ("Always", 1)):
        init = {"name": "i", "command": ["vllm", "serve", "m"], "restartPolicy": policy}
        pod = Resource("kubernetes:core/v1:Pod", "p", "urn:p", Props({"spec": {"initContainers": [init]}}))
        assert len(servers(pod)) == count


@pytest.mark.parametrize("command", [["bash", "/scripts/start.sh"], ["/scripts/start.sh"], UNKNOWN])
def test_a_command_that_nobody_can_read_serves_where_all_around_it_says_so(command: Any) -> None:
    server = only(deployment(command=command, readinessProbe={"httpGet": {"path": "/health"}}))
    assert not server.options.complete
    assert server.tensor is server.world_size is server.port is None
    assert servers(deployment(command=command)) == ()


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("m", {"tensor": 1, "pipeline": 1, "data": 1, "data_local": 1, "nodes": 1, "world_size": 1}),
        ("m -tp 8 -pp 2 -dp 4", {"tensor": 8, "pipeline": 2, "data": 4, "data_local": 4, "world_size": 64}),
        ("m -dp 16 -dpl 8", {"data": 16, "data_local": 8, "world_size": 16}),
        ("m -dp 16 --data-parallel-rank 3", {"data_local": 1}),
        ("m -tp 8 -dp 4 --nnodes 2", {"nodes": 2, "data_local": 2, "world_size": 32}),
        ("m -tp 16 --nnodes 2", {"data_local": 1, "world_size": 16}),
        ("m -tp 2 -pcp 2", {"world_size": 4}),
        ("m -tp $N", {"tensor": None, "world_size": None, "pipeline": 1}),
        ("m $MORE", {"tensor": None, "world_size": None, "expert_parallel": None, "port": None}),
        ("m -tp 8 $MORE", {"tensor": 8, "world_size": None}),
        ("m -pp", {"pipeline": None, "world_size": None}),
        ("m --enable-expert-parallel", {"expert_parallel": True}),
        ("m -ep", {"expert_parallel": True}),
        ("m --no-enable-expert-parallel", {"expert_parallel": False}),
        ("m", {"expert_parallel": False, "headless": False, "serves_http": True, "port": 8000}),
        ("m --port 9", {"port": 9}),
        ("m --port $P", {"port": None}),
        ("m --uds /x.sock", {"port": None, "serves_http": False}),
        ("m --grpc --port 9", {"port": 9, "serves_http": False}),
        ("m --headless --port 9", {"headless": True, "port": None, "serves_http": False}),
        ("m --nnodes 2 --node-rank 1", {"serves_http": False}),
        ("m --nnodes 2 --node-rank 0", {"serves_http": True}),
        ("m", {"max_model_len": None, "memory_utilization": None, "dtype": None, "executor": None}),
        ("m --max-model-len 32K", {"max_model_len": 32_768}),
        ("m --max-model-len=auto", {"max_model_len": None}),
        ("m --max_model_len -1", {"max_model_len": None}),
        ("m --gpu-memory-utilization 0.85", {"memory_utilization": 0.85}),
        (
            "m --dtype half -q fp8 --kv-cache-dtype fp8",
            {"dtype": "half", "quantization": "fp8", "kv_cache_dtype": "fp8"},
        ),
        ("m --distributed-executor-backend ray", {"executor": "ray"}),
        ("org/m", {"model": "org/m", "served_names": ("org/m",)}),
        ("/mnt/models/m --served-model-name a b", {"model": "/mnt/models/m", "served_names": ("a", "b")}),
        ("--model m", {"model": "m"}),
        ("$MODEL -tp 2", {"model": None, "served_names": (), "world_size": 2}),
        ("m --served-model-name $N", {"served_names": ()}),
    ],
)
def test_properties_of_vllm(line: str, values: dict[str, Any]) -> None:
    server = serving(line)
    assert {name: getattr(server, name) for name in values} == values


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.32.0", (0, 32, 0)),
        ("docker.io/vllm/vllm-openai:v0.11.0-x86_64", (0, 11, 0)),
        ("vllm/vllm-openai:v0.32.1-cu129-ubuntu2404@sha256:00", (0, 32, 1)),
        ("host:5000/mirror/vllm-openai:0.10.2", (0, 10, 2)),
        ("vllm/vllm-openai:v0.11.1rc2", (0, 11, 1)),
        ("vllm/vllm-tpu:v0.11.1", (0, 11, 1)),
        ("registry.example/vllm:v0.9", (0, 9, 0)),
        ("vllm/vllm-openai:latest", None),
        ("vllm/vllm-openai:nightly-0a1b", None),
        ("vllm/vllm-openai", None),
        ("vllm/vllm-openai@sha256:00", None),
        ("host:5000/vllm-openai", None),
        ("ghcr.io/llm-d/llm-d-cuda:v0.8.0", None),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.5", None),
        ("registry.example/vllm:3.2.5", None),
        ("us-docker.pkg.dev/v/d/pytorch-vllm-serve:20250601_0916_RC01", None),
        (UNKNOWN, None),
    ],
)
def test_the_version_is_read_off_the_tag_of_an_image_of_vllm(image: Any, version: tuple[int, int, int] | None) -> None:
    assert serving("m", image=image).image_version == version


def test_a_ray_group_has_a_server_on_its_leader_and_a_worker_without_options() -> None:
    script = "bash /vllm-workspace/examples/ray_serving/multi-node-serving.sh"
    serve = f"python3 -m {API} --model m -tp 8 --pipeline_parallel_size $(LWS_GROUP_SIZE) --port 8080"
    leader, worker = servers(
        group(
            {"command": ["sh", "-c", f"{script} leader --ray_cluster_size=$(LWS_GROUP_SIZE); {serve}"]},
            {"command": ["sh", "-c", f"{script} worker --ray_address=$(LWS_LEADER_ADDRESS)"]},
        )
    )
    assert (leader.world_size, leader.port, leader.serves_http, leader.ray_worker) == (16, 8080, True, False)
    assert (worker.world_size, worker.port, worker.serves_http, worker.ray_worker) == (None, None, False, True)


def test_a_worker_that_starts_ray_by_hand_is_one_where_its_image_is_an_engine() -> None:
    command = ["bash", "-c", "until nc -z $H 1; do sleep 1; done; ray start --address=$H:6379 --block"]
    assert only(deployment(command=command)).ray_worker
    assert servers(deployment(command=command, image="rayproject/ray:2.9")) == ()


RANKED = "-tp 8 -pp $(LWS_GROUP_SIZE) --nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX)"


def test_an_mp_group_serves_on_its_leader_only() -> None:
    leader, worker = servers(
        group({"command": ["sh", "-c", f"vllm serve m {RANKED}"]}, {"command": ["sh", "-c", f"vllm serve m {RANKED}"]})
    )
    assert (leader.nodes, leader.world_size, leader.data_local) == (2, 16, 1)
    assert leader.serves_http
    assert not worker.serves_http


@pytest.mark.parametrize(
    "script",
    [
        'if [ "${LWS_WORKER_INDEX:-0}" -eq 0 ]; then vllm serve m -dp 4; else vllm serve m -dp 4 --headless; fi',
        "if [ $LWS_WORKER_INDEX != 0 ]; then vllm serve m -dp 4 --headless; else vllm serve m -dp 4; fi",
        "[ $LWS_WORKER_INDEX = 0 ] && exec vllm serve m -dp 4; ray start --address=$LWS_LEADER_ADDRESS --block",
    ],
)
def test_one_template_for_all_pods_is_read_for_each_role(script: str) -> None:
    leader, worker = servers(group(None, {"image": "vllm/vllm-openai:v0.18.0", "command": ["bash", "-c", script]}))
    assert (leader.serves_http, leader.data) == (True, 4)
    assert not worker.serves_http


def test_an_unknown_group_size_leaves_the_product_open() -> None:
    server = servers(group(None, {"command": ["sh", "-c", f"vllm serve m {RANKED}"]}, UNKNOWN))[0]
    assert (server.tensor, server.pipeline, server.world_size) == (8, None, None)


def test_the_environment_of_a_server_holds_what_its_script_exports() -> None:
    script = "export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/x\nsource /gib/set_nccl_env.sh\nexec vllm serve m"
    server = only(deployment(command=["bash", "-c", script], env=env(NCCL_DEBUG="INFO")))
    assert server.environment["LD_LIBRARY_PATH"] == "/usr/local/nvidia/lib64:/x"
    assert server.environment["NCCL_DEBUG"] == "INFO"
    assert server.command is not None
    assert server.command.wrappers == ("exec",)
    assert server.script.sources("set_nccl_env.sh", server.command)
