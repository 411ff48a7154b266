from __future__ import annotations

import pytest

from inference.rules.views.values import UNKNOWN
from inference.rules.vllm import (
    context_within_model,
    gated_model_has_token,
    json_options_parse,
    model_exists,
    options_exist,
    options_have_values,
    ray_is_there,
    speculation_is_complete,
)
from tests.inference.rules.cases import container, custom, deployment, findings, group_container, leader_worker_set

RULES = (
    context_within_model,
    gated_model_has_token,
    json_options_parse,
    model_exists,
    options_exist,
    options_have_values,
    ray_is_there,
    speculation_is_complete,
)


def serving(**changes):
    return deployment(containers=[container(changes)])


def image(tag):
    return f"vllm/vllm-openai:{tag}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_servers_as_they_should_be_are_silent(rule):
    assert not findings(rule, deployment(), leader_worker_set())


# Options


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--disable-log-requests"]},
        {"args": ["--disable_log_requests=true"]},
        {"args": ["--num-scheduler-steps", "8"], "image": image("v0.12.1")},
        {"args": ["--worker-use-ray"], "image": image("latest")},
        {"args": ["--use-v2-block-manager"], "image": "us-docker.pkg.dev/p/mirror/vllm-openai:v0.20.0@sha256:abc"},
        {"command": ["bash", "-c", "vllm serve m \\\n  --disable-log-requests \\\n  --port 8000"], "args": None},
        {"command": ["python3", "-m", "vllm.entrypoints.openai.api_server"], "args": ["--disable-log-requests"]},
        {"command": None, "args": ["--model=m", "--disable-log-requests"]},
        {"args": ["--disable-log-requests"], "image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0"},
    ],
)
def test_an_option_that_is_gone_is_found(changes):
    (found,) = findings(options_exist, serving(**changes))
    assert "gone since" in found
    group = leader_worker_set(worker={"containers": [container(changes)]})
    assert "the worker of" in findings(options_exist, group)[0]


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["--tensor-paralel-size=1"], "--tensor-parallel-size"),
        (["--gpu-memory-utilisation", "0.9"], "--gpu-memory-utilization"),
        (["--max-model-length", "8192"], "--max-model-len"),
        (["--swap-space", "4"], None),
        (["--rope-scaling", "{}"], None),
    ],
)
def test_an_option_that_the_version_does_not_have_is_found(args, hint):
    (found,) = findings(options_exist, serving(args=args))
    assert "unrecognized arguments" in found
    assert hint is None or hint in found


def test_an_option_that_is_too_new_is_found():
    made = serving(args=["--shutdown-timeout", "30"], image=image("v0.11.2"))
    assert "0.18.0" in findings(options_exist, made)[0]


def test_an_option_written_out_is_found_in_any_version():
    (found,) = findings(options_exist, serving(args=["--max-model-length", "8192"], image=image("v0.11.0")))
    assert "Write --max-model-len." in found


def test_a_slip_of_one_letter_is_found_in_any_version():
    for tag in ("v0.9.0", "v0.40.0", "latest"):
        assert "--max-model-len" in findings(options_exist, serving(args=["--max-model-ln", "1"], image=image(tag)))[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--tensor_parallel_size", "1", "-tp=1", "-O3", "--no-enable-prefix-caching"]},
        {"args": ["--kv-transfer-config.kv_connector", "NixlConnector"]},
        {"args": ["--disable-log-requests"], "image": image("v0.9.2")},
        {"args": ["--swap-space", "4"], "image": image("v0.9.2")},
        {"args": ["--guided-decoding-backend", "x"], "image": image("latest")},
        {"args": ["--some-new-option"], "image": image("v0.33.0")},
        {"args": ["--disable-log-requests"], "image": "registry.example.com/own-vllm:2024-01"},
        {"args": ["--disable-log-requests"], "image": "ghcr.io/llm-d/llm-d-cuda:v0.3.1"},
        {"args": ["--shutdown-timeout", "30"], "image": image("v0.18.0")},
        {"args": UNKNOWN},
        {"image": "lmsysorg/sglang:v0.5.3", "command": ["sglang", "serve"], "args": ["--disable-log-requests"]},
    ],
)
def test_an_option_that_may_be_there_is_silent(changes):
    assert not findings(options_exist, serving(**changes))


@pytest.mark.parametrize(
    "args",
    [
        ["--pipeline-parallel-size", "--port", "8000"],
        ["--pipeline-parallel-size="],
        ["--nnodes", ""],
        ["--port=8000", "--tensor-parallel-size"],
    ],
)
def test_an_option_without_its_value_is_found(args):
    assert len(findings(options_have_values, serving(args=args))) == 1
    script = "vllm serve m " + " ".join(args)
    assert findings(options_have_values, serving(command=["sh", "-c", script], args=None))


def test_a_value_that_only_the_cluster_knows_is_a_value():
    assert not findings(options_have_values, serving(args=["--tensor-parallel-size", "$(TP)", "--host", "${HOST}"]))
    assert not findings(options_have_values, serving(command=["sh", "-c", "vllm serve m -tp $TP"], args=None))


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--speculative-config", "{'method': 'ngram'}"]},
        {"args": ['--kv-transfer-config={"kv_connector":"NixlConnector"']},
        {"command": ["sh", "-c", 'vllm serve m --kv-transfer-config {"kv_connector":"NixlConnector"}'], "args": None},
    ],
)
def test_an_object_that_is_no_json_is_found(changes):
    assert len(findings(json_options_parse, serving(**changes))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}']},
        {"args": ["--compilation-config", '{"max_cudagraph_capture_size": 1k}']},
        {"args": ["--limit-mm-per-prompt", "image=4"]},
        {"args": ["--hf-overrides", "$(OVERRIDES)"]},
        {"command": ["sh", "-c", """vllm serve m --kv-transfer-config '{"kv_connector":"x"}'"""], "args": None},
    ],
)
def test_an_object_that_parses_is_silent(changes):
    assert not findings(json_options_parse, serving(**changes))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('{"num_speculative_tokens": 3}', "neither"),
        ('{"method": "eagle3", "num_speculative_tokens": 3}', "no draft model"),
        ('{"method": "ngram"}', "num_speculative_tokens"),
    ],
)
def test_speculation_that_lacks_something_is_found(config, says):
    assert says in findings(speculation_is_complete, serving(args=["--speculative-config", config]))[0]


@pytest.mark.parametrize(
    "config",
    [
        '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}',
        '{"model": "acme/draft", "num_speculative_tokens": 3}',
        '{"method": "mtp"}',
        '{"method": "$(METHOD)"}',
        "$(CONFIG)",
    ],
)
def test_speculation_that_is_complete_is_silent(config):
    assert not findings(speculation_is_complete, serving(args=["--speculative-config", config]))


# Ray

SCRIPT = "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh"


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ["bash", "-c"], "args": [f"{SCRIPT} leader --ray_cluster_size=2; vllm serve m"]},
        {"args": ["--distributed-executor-backend", "ray"]},
        {"args": ["--data-parallel-backend=ray"]},
        {"args": ["--distributed-executor-backend=ray"], "image": image("latest")},
        {"args": ["--distributed-executor-backend=ray"], "image": "vllm/vllm-openai"},
    ],
)
def test_ray_in_an_image_without_it_is_found(changes):
    assert "--nnodes" in findings(ray_is_there, serving(**changes))[0]


def test_a_ray_worker_in_an_image_without_it_is_found():
    worker = group_container(
        {"command": ["bash", "-c"], "args": [f"{SCRIPT} worker --ray_address=$LWS_LEADER_ADDRESS"]}
    )
    assert len(findings(ray_is_there, leader_worker_set(worker={"containers": [worker]}))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--distributed-executor-backend", "ray"], "image": image("v0.18.1")},
        {"args": ["--distributed-executor-backend", "ray"], "image": "vllm/vllm-tpu:v0.32.0"},
        {"args": ["--distributed-executor-backend", "ray"], "image": "ghcr.io/own/vllm-ray:v1"},
        {"args": ["--distributed-executor-backend", "ray"], "image": f"{image('latest')}@sha256:abc"},
        {"args": ["--distributed-executor-backend", "mp"]},
        {
            "command": ["bash", "-c"],
            "args": ["pip install 'ray[default]' && vllm serve m --distributed-executor-backend ray"],
        },
    ],
)
def test_ray_where_it_is_or_may_be_is_silent(changes):
    assert not findings(ray_is_there, serving(**changes))


# Models


@pytest.mark.parametrize(
    "model",
    ["google/gemma-3-2b-it", "meta-llama/Llama-3-405b", "meta-llama/Llama-3.3-8B-Instruct", "Qwen/Qwen2.5-8B-Instruct"],
)
def test_a_model_that_does_not_exist_is_found(model):
    assert "does not exist" in findings(model_exists, serving(command=["vllm", "serve", model]))[0]
    assert findings(model_exists, serving(command=None, args=["--model", model]))


@pytest.mark.parametrize(
    "model",
    [
        "google/gemma-3-270m-it",
        "google/gemma-3n-E4B-it",
        "google/gemma-2-9b-it",
        "google/gemma-4-31B-it",
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
        "Qwen/Qwen2.5-Coder-32B-Instruct",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "acme/own-model",
        "/models/gemma-3-2b",
        "gs://bucket/google/gemma-3-2b-it",
    ],
)
def test_a_model_that_may_exist_is_silent(model):
    assert not findings(model_exists, serving(command=["vllm", "serve", model]))


def test_a_team_lists_what_it_serves():
    allowed = {"models": ["google/gemma-3-*", "/models/*"]}
    assert not findings(model_exists, deployment(), configuration=allowed)
    other = serving(command=["vllm", "serve", "Qwen/Qwen3-8B"])
    assert "not among the models" in findings(model_exists, other, configuration=allowed)[0]
    assert not findings(model_exists, serving(command=["vllm", "serve", "$(MODEL)"]), configuration=allowed)


TOKENLESS = {"env": [{"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64"}]}


@pytest.mark.parametrize(
    "changes",
    [
        TOKENLESS,
        {"env": None},
        TOKENLESS | {"env": [{"name": "HF_TOKEN", "value": ""}]},
        TOKENLESS | {"command": ["vllm", "serve", "meta-llama/Llama-3.2-90B-Vision-Instruct"]},
        TOKENLESS | {"command": ["bash", "-c"], "args": ["exec vllm serve google/gemma-2b-it"]},
        TOKENLESS
        | {
            "image": "lmsysorg/sglang:v0.5.3",
            "command": ["python3", "-m", "sglang.launch_server"],
            "args": ["--model-path", "meta-llama/Llama-3.1-8B-Instruct"],
        },
        TOKENLESS | {"volumeMounts": [{"name": "cache", "mountPath": "/root/.cache"}]},
    ],
)
def test_a_gated_model_without_a_token_is_found(changes):
    pod = {"volumes": [{"name": "cache", "emptyDir": {}}]}
    (found,) = findings(gated_model_has_token, deployment(containers=[container(changes)], pod=pod))
    assert "401" in found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"env": [{"name": "HUGGING_FACE_HUB_TOKEN", "value": "x"}]},
        {"env": [{"name": "HF_HUB_OFFLINE", "value": "1"}]},
        {"env": UNKNOWN},
        {"env": [{"name": UNKNOWN, "value": "x"}]},
        {"env": None, "envFrom": [{"secretRef": {"name": "hf"}}]},
        TOKENLESS | {"args": ["--hf-token", "$(TOKEN)"]},
        TOKENLESS | {"command": ["bash", "-c"], "args": ["export HF_TOKEN=$(cat /s/t); vllm serve google/gemma-2b-it"]},
        TOKENLESS | {"command": ["vllm", "serve", "/models/gemma-3-4b-it"]},
        TOKENLESS | {"command": ["vllm", "serve", "google/gemma-4-31B-it"]},
        TOKENLESS | {"command": ["vllm", "serve", "Qwen/Qwen3-8B"]},
        TOKENLESS | {"command": ["vllm", "serve", "mistralai/Mistral-7B-Instruct-v0.3"]},
        TOKENLESS | {"volumeMounts": [{"name": "claim", "mountPath": "/root/.cache/huggingface"}]},
    ],
)
def test_a_model_that_needs_no_token_here_is_silent(changes):
    pod = {"volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": "c"}}]}
    assert not findings(gated_model_has_token, deployment(containers=[container(changes)], pod=pod))


def test_kserve_fetches_models_with_credentials_of_its_own():
    spec = {"model": {"uri": "hf://google/gemma-2b-it"}, "template": {"containers": [{"name": "main"}]}}
    assert not findings(gated_model_has_token, custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", spec))


@pytest.mark.parametrize("length", ["16384", "16k", 10000.0])
def test_a_context_longer_than_the_model_is_found(length):
    made = serving(command=["vllm", "serve", "google/gemma-2-9b-it"], args=["--max-model-len", length])
    assert "8192 tokens" in findings(context_within_model, made)[0]


@pytest.mark.parametrize(
    "args",
    [
        ["--max-model-len", "8192"],
        ["--max-model-len", "auto"],
        ["--max-model-len", "-1"],
        ["--max-model-len=16384", "--hf-overrides", '{"rope_scaling": {}}'],
        [],
    ],
)
def test_a_context_that_the_model_has_is_silent(args):
    assert not findings(context_within_model, serving(command=["vllm", "serve", "google/gemma-2-9b-it"], args=args))
    assert not findings(context_within_model, serving(command=["vllm", "serve", "acme/m"], args=["--max-model-len=1M"]))
