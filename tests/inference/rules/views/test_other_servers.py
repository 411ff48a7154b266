"""Model servers that are no plain vLLM: NIM, other engines, and what KServe starts by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.rules.views.servers import ModelServer
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.views.serving_cases import API, GPU, deployment, env, group, kserve, only, servers

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
    assert (server.model, server.tensor) == (None, None)
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
