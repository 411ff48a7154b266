"""The model server in a container, whatever engine it is and however it is started."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.values import UNKNOWN, Props, Secret

GPU = {"limits": {"nvidia.com/gpu": "8"}}


def deployment(**container: Any) -> Resource:
    spec = {"name": "c", "image": "vllm/vllm-openai:v0.32.0", "resources": GPU, **container}
    template = {"spec": {"containers": [spec]}}
    return Resource("kubernetes:apps/v1:Deployment", "d", "urn:d", Props({"spec": {"template": template}}))


def group(leader: dict[str, Any] | None, worker: dict[str, Any], size: Any = 2) -> Resource:
    templates = {"workerTemplate": {"spec": {"containers": [{"name": "w", **worker}]}}}
    if leader is not None:
        templates["leaderTemplate"] = {"spec": {"containers": [{"name": "l", **leader}]}}
    props = Props({"spec": {"leaderWorkerTemplate": {"size": size, **templates}}})
    return Resource("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "g", "urn:g", props)


def kserve(kind: str, spec: dict[str, Any], version: str = "v1alpha2") -> Resource:
    props = Props({"metadata": {"name": "svc", "namespace": "ns"}, "spec": spec})
    return Resource(f"kubernetes:serving.kserve.io/{version}:{kind}", "s", "urn:s", props)


def servers(resource: Resource) -> tuple[ModelServer, ...]:
    return resource.view(ModelServer.of)


def only(resource: Resource) -> ModelServer:
    found = servers(resource)
    assert len(found) == 1, f"expected one server, found {len(found)}"
    return found[0]


def serving(line: str, **container: Any) -> ModelServer:
    return only(deployment(command=["bash", "-c", f"vllm serve {line}"], **container))


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


API = "vllm.entrypoints.openai.api_server"

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


NIM_IMAGE = "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3"


@pytest.mark.parametrize(
    "container",
    [
        {"env": env(NIM_TENSOR_PARALLEL_SIZE="8", NIM_PIPELINE_PARALLEL_SIZE="2", NIM_MAX_MODEL_LEN="4096")},
        {"env": env(NIM_PASSTHROUGH_ARGS="--tensor-parallel-size 8 -pp 2 --max-model-len 4096")},
        {"command": ["nim-serve", "-tp", "8", "-pp", "2", "--max-model-len", "4096"]},
        {"command": ["bash", "-c", "export NIM_TENSOR_PARALLEL_SIZE=4\nnim-serve -tp 8 -pp 2 --max-model-len 4096"]},
    ],
)
def test_nim_is_configured_by_variables_and_words(container: dict[str, Any]) -> None:
    server = only(deployment(image=NIM_IMAGE, **container))
    assert (server.engine, server.model) == ("nim", "meta/llama3-8b-instruct")
    assert (server.tensor, server.world_size, server.max_model_len) == (8, 16, 4096)
    assert (server.port, server.health_path) == (8000, "/v1/health/ready")
    assert server.image_version is None


def test_nim_chooses_for_itself_what_nobody_sets() -> None:
    server = only(deployment(image="europe-docker.pkg.dev/p/r/nim/meta/llama3:1", env=env(NIM_SERVER_PORT="9")))
    assert (server.engine, server.port, server.tensor, server.world_size) == ("nim", 9, None, None)
    assert not server.options.absent("tensor-parallel-size")


@pytest.mark.parametrize(
    ("engine", "container", "values"),
    [
        (
            "sglang",
            {"command": ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--tp", "8"]},
            {"model": "m", "tensor": 8, "port": 30000, "world_size": 8},
        ),
        (
            "sglang",
            {"command": ["python3", "-m", "sglang.launch_server", "--tp=8", "--dp=8", "--enable-dp-attention"]},
            {"world_size": 8},
        ),
        (
            "tgi",
            {
                "image": "ghcr.io/huggingface/text-generation-inference:3.0",
                "args": ["--model-id", "m", "--num-shard", "2"],
            },
            {"model": "m", "tensor": 2, "port": 80},
        ),
        (
            "tgi",
            {"command": ["text-generation-launcher"], "env": env(MODEL_ID="m", PORT="8080")},
            {"model": "m", "port": 8080},
        ),
        (
            "trtllm",
            {"command": ["trtllm-serve", "m", "--tp_size", "8", "--ep_size=8"]},
            {"tensor": 8, "expert_parallel": True},
        ),
    ],
)
def test_other_engines(engine: str, container: dict[str, Any], values: dict[str, Any]) -> None:
    server = only(deployment(**{"image": "x", **container}))
    assert server.engine == engine
    assert {name: getattr(server, name) for name in values} == values


def llm(spec: dict[str, Any], **container: Any) -> dict[str, Any]:
    main = {"name": "main", "resources": GPU, **container}
    model = {"uri": "hf://org/m", "name": "public/m"}
    return {"model": model, "template": {"containers": [main, {"name": "helper"}]}, **spec}


def test_a_service_of_kserve_takes_its_options_from_fields_arguments_and_a_variable() -> None:
    container = {
        "args": ["--max-model-len=4096"],
        "env": env(VLLM_ADDITIONAL_ARGS='--dtype half --kv_transfer_config \'{"kv_role":"kv_both"}\''),
    }
    server = only(kserve("LLMInferenceService", llm({"parallelism": {"tensor": 8, "data": 4}}, **container)))
    assert (server.engine, server.model, server.served_names) == ("vllm", "org/m", ("public/m",))
    assert (server.tensor, server.data, server.max_model_len, server.dtype) == (8, 1, 4096, "half")
    assert server.options.json("kv-transfer-config").text("kv_role") == "kv_both"
    assert (server.port, server.serves_http, server.options.complete) == (8000, True, True)


def test_a_service_of_kserve_over_several_nodes_has_headless_workers() -> None:
    spec = llm(
        {"parallelism": {"data": 16, "dataLocal": 8, "expert": True}, "worker": {"containers": [{"name": "main"}]}}
    )
    leader, worker = servers(kserve("LLMInferenceService", spec))
    for server in (leader, worker):
        assert (server.data, server.data_local, server.world_size, server.expert_parallel) == (16, 8, 16, True)
    assert (leader.serves_http, worker.serves_http) == (True, False)


def test_a_service_of_kserve_with_prefill_has_two_servers_with_sizes_of_their_own() -> None:
    prefill = {"parallelism": {"tensor": 2}, "template": {"containers": [{"name": "main"}]}}
    decode, other = servers(kserve("LLMInferenceService", llm({"parallelism": {"tensor": 4}, "prefill": prefill})))
    assert (decode.tensor, decode.port) == (4, 8001)
    assert (other.tensor, other.port) == (2, 8000)


def test_what_is_unknown_in_a_service_of_kserve_stays_unknown() -> None:
    server = only(kserve("LLMInferenceService", llm({"parallelism": {"tensor": UNKNOWN}, "model": UNKNOWN})))
    assert server.model is server.tensor is None
    assert not only(kserve("LLMInferenceService", llm({"baseRefs": [{"name": "x"}]}))).options.complete


def test_a_service_of_kserve_may_bring_its_own_command() -> None:
    server = only(kserve("LLMInferenceService", llm({}, command=["vllm", "serve", "/mnt/models", "-tp", "2"])))
    assert (server.model, server.tensor) == ("/mnt/models", 2)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (
            {"modelFormat": {"name": "huggingface"}, "args": ["--model_id=org/m", "--model_name=n", "-tp", "2"]},
            {
                "engine": "vllm",
                "front": "huggingfaceserver",
                "model": "org/m",
                "served_names": ("n",),
                "tensor": 2,
                "port": 8080,
            },
        ),
        (
            {"modelFormat": {"name": "huggingface"}, "storageUri": "hf://org/m", "args": ["--backend=huggingface"]},
            {"engine": "huggingface", "model": "org/m"},
        ),
        (
            {"modelFormat": {"name": "vLLM"}, "runtime": "x", "args": ["--dtype=half"]},
            {"engine": "vllm", "dtype": "half"},
        ),
    ],
)
def test_a_model_runtime_of_kserve(model: dict[str, Any], values: dict[str, Any]) -> None:
    server = only(kserve("InferenceService", {"predictor": {"model": model}}, "v1beta1"))
    assert {name: getattr(server, name) for name in values} == values


def test_other_model_runtimes_of_kserve_are_none_of_ours() -> None:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://b/m"}
    assert servers(kserve("InferenceService", {"predictor": {"model": model}}, "v1beta1")) == ()


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.just(UNKNOWN), st.just(Secret("--model"))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "value"]), inner)),
    max_leaves=5,
)
WORD = st.sampled_from(
    ["vllm", "serve", "m", "-tp", "8", "--port", "$A", "$(A)", "bash", "-c", "python3", "-m", API, "--", "{"]
)
FIELD = st.one_of(st.lists(st.one_of(WORD, ANYTHING), max_size=8), ANYTHING)
IMAGES = st.one_of(ANYTHING, st.sampled_from(["vllm/vllm-openai:v1", NIM_IMAGE, ":", "@", "/", "a:b@c"]))
PROPERTIES = [
    name for name, value in vars(ModelServer).items() if isinstance(value, property) or hasattr(value, "attrname")
]


@given(FIELD, FIELD, FIELD, IMAGES, st.sampled_from(["deployment", "llm", "model", "group"]))
def test_no_container_makes_the_view_fail(command: Any, args: Any, variables: Any, image: Any, kind: str) -> None:
    container = {"command": command, "args": args, "env": variables, "image": image}
    resource = {
        "deployment": deployment(**container),
        "llm": kserve("LLMInferenceService", llm({"parallelism": args, "worker": command}, **container)),
        "model": kserve("InferenceService", {"predictor": {"model": {**container, "modelFormat": {"name": "vllm"}}}}),
        "group": group(container, container, args),
    }[kind]
    for server in servers(resource):
        for name in PROPERTIES:
            getattr(server, name)
        assert str(server)
