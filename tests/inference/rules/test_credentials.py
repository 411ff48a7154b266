from __future__ import annotations

from typing import Any

import pytest

from inference.rules.credentials import (
    not_in_arguments,
    not_in_chart_values,
    not_in_config_map,
    not_in_environment,
    not_in_plain_text,
    output_is_secret,
    secret_is_encrypted,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource, workload
from tests.inference.rules.gateway_cases import release

HF = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwX"
NGC = "nvapi-" + "aB3dE5gH7jK9mN1pQ3sT5vW7"


def workloads(entry: dict[str, Any]) -> list[Resource]:
    """Return workloads of several kinds whose container has this variable."""
    main = container({"env": [entry]})
    pod = {"spec": {"containers": [main]}}
    bare = {"name": "tool", "image": "busybox:1.37.0", "env": [entry]}
    return [
        deployment(containers=[main]),
        deployment(pod={"initContainers": [bare]}),
        leader_worker_set(worker={"containers": [main]}),
        workload(
            "kubernetes:batch/v1:CronJob",
            "batch/v1",
            "CronJob",
            "c",
            {"jobTemplate": {"spec": {"template": pod}}},
            None,
        ),
        custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", {"template": pod["spec"]}),
        custom(
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            "j",
            {"replicatedJobs": [{"name": "w", "template": {"spec": {"template": pod}}}]},
        ),
    ]


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HF_TOKEN", "your-hf-token-if-needed"),
            ("HUGGING_FACE_HUB_TOKEN", HF),
            ("NGC_API_KEY", "abc"),
            ("VLLM_API_KEY", "EMPTY-no-more"),
            ("DB_PASSWORD", "hunter2"),
            ("OPENAI_API_KEY", "something"),
            ("CLIENT_SECRET", "something"),
            ("MODEL", HF),
            ("KEY", f"Bearer {NGC}"),
        ],
    )
    def test_a_plain_credential_is_found_in_every_kind(self, name: str, value: str) -> None:
        for program in workloads({"name": name, "value": value}):
            found = findings(not_in_environment, program)
            assert found
            assert value not in " ".join(found)

    @pytest.mark.parametrize(
        "entry",
        [
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}},
            {"name": "HF_TOKEN", "value": ""},
            {"name": "HF_TOKEN", "value": "$(TOKEN_OF_ANOTHER)"},
            {"name": "HF_TOKEN", "value": UNKNOWN},
            {"name": "HF_TOKEN_PATH", "value": "/var/run/secrets/hf"},
            {"name": "OPENAI_API_KEY", "value": "EMPTY"},
            {"name": "DB_PASSWORD", "value": "/run/secrets/db"},
            {"name": "API_KEY", "value": "projects/p/secrets/key/versions/1"},
            {"name": "EOS_TOKEN", "value": "</s>"},
            {"name": "MAX_TOKENS", "value": "4096"},
            {"name": "USE_AUTH_TOKEN", "value": "true"},
            {"name": "TOKENIZERS_PARALLELISM", "value": "false"},
            {"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/etc/gcp/key.json"},
            {"name": "MODEL", "value": "hf_internal-testing/tiny-random"},
        ],
    )
    def test_a_reference_or_what_is_no_credential_is_silent(self, entry: dict[str, Any]) -> None:
        for program in workloads(entry):
            assert findings(not_in_environment, program) == []


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (["vllm", "serve", "m", "--api-key", "sesame"], 1),
        (["vllm", "serve", "m", "--api-key=sesame"], 1),
        (["/bin/bash", "-c", "exec vllm serve m --api_key sesame"], 1),
        (["vllm", "serve", "m", "--hf-token", HF], 1),
        (["vllm", "serve", "m", "--api-key=$(VLLM_API_KEY)"], 0),
        (["/bin/bash", "-c", "vllm serve m --api-key $VLLM_API_KEY"], 0),
        (["vllm", "serve", "m"], 0),
    ],
)
def test_a_key_on_the_command_line_is_found(command: list[str], count: int) -> None:
    served = deployment(containers=[container({"command": command, "args": None, "env": None})])

    assert len(findings(not_in_arguments, served)) == count


class TestPlainText:
    @pytest.mark.parametrize(
        "thing",
        [
            deployment(containers=[container({"args": [f"--header=Authorization: Bearer {HF}"]})]),
            deployment(annotations={"note": HF}),
            resource("kubernetes:core/v1:ConfigMap", "c", {"data": {"run.sh": f"export HF_TOKEN={HF}\nvllm serve m"}}),
            release("nim", "nim-llm", {"model": {"note": [NGC]}}),
            resource(
                "gcp:compute/instanceTemplate:InstanceTemplate", "t", {"metadata": {"startup-script": f"login {HF}"}}
            ),
            custom("example.com/v1", "Thing", "t", {"deep": [{"er": {"key": "-----BEGIN RSA PRIVATE KEY-----\nabc"}}]}),
            deployment(annotations={"k": "AKIA" + "IOSFODNN7EXAMPLE"}),
        ],
    )
    def test_a_token_is_found_by_its_shape_wherever_it_is(self, thing: Resource) -> None:
        found = findings(not_in_plain_text, thing)

        assert len(found) == 1
        assert HF not in found[0]

    @pytest.mark.parametrize(
        "thing",
        [
            deployment(),
            deployment(annotations={"note": "hf_" + "x" * 24}),
            deployment(annotations={"note": Secret(HF)}),
            deployment(annotations={"sha": "sha256:b71627dcf88862cd0e64434dfd0224441960db58f2022f94b5f56123659c207e"}),
            release("nim", "nim-llm", {"key": Secret(NGC)}),
            release("nim", "nim-llm", Secret({"key": NGC})),
            resource("kubernetes:core/v1:Secret", "s", {"kind": "Secret", "stringData": {"token": HF}}),
            resource("gcp:secretmanager/secretVersion:SecretVersion", "s", {"secretData": HF}),
            custom("example.com/v1", "Thing", "t", {"class": "task-sk-learn-regression-model-of-the-year-2026"}),
        ],
    )
    def test_a_secret_or_other_long_words_are_silent(self, thing: Resource) -> None:
        assert findings(not_in_plain_text, thing) == []


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ({"HF_TOKEN": "abc"}, 1),
        ({"db.password": "hunter2"}, 1),
        ({"HF_TOKEN": UNKNOWN}, 0),
        ({"HF_HOME": "/models", "tokenizer": "Qwen/Qwen3-8B"}, 0),
        ({"config.yaml": "api_key: none\n"}, 0),
    ],
)
def test_a_config_map_holds_no_credentials(data: dict[str, Any], count: int) -> None:
    config = resource("kubernetes:core/v1:ConfigMap", "c", {"metadata": {"name": "c"}, "data": data})

    assert len(findings(not_in_config_map, config)) == count


class TestSecret:
    def secret(self, **props: Any) -> Resource:
        return resource("kubernetes:core/v1:Secret", "s", {"kind": "Secret", "metadata": {"name": "s"}, **props})

    @pytest.mark.parametrize("place", ["stringData", "data"])
    def test_a_plain_value_is_found(self, place: str) -> None:
        assert len(findings(secret_is_encrypted, self.secret(**{place: {"token": "c2VzYW1l"}}))) == 1
        mixed = {place: {"a": Secret("x"), "token": "c2VzYW1l"}}
        assert "token" in findings(secret_is_encrypted, self.secret(**mixed))[0]

    @pytest.mark.parametrize(
        "props",
        [
            {"stringData": {"token": Secret("sesame")}},
            {"stringData": Secret({"token": "sesame"})},
            {"stringData": {"token": UNKNOWN}},
            {"stringData": {"token": ""}},
            {"data": {"token": "[secret]"}},
            {"data": {"ca.crt": "abc"}, "type": "kubernetes.io/service-account-token"},
            {},
        ],
    )
    def test_a_secret_or_unknown_value_is_silent(self, props: dict[str, Any]) -> None:
        assert findings(secret_is_encrypted, self.secret(**props)) == []

    def test_a_bare_manifest_has_no_state_to_leak(self) -> None:
        plain = {"kind": "Secret", "stringData": {"token": "sesame"}}

        assert findings(secret_is_encrypted, resource("kubernetes:core/v1:Secret", "s", plain, options={})) == []


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"hfToken": "abc-def"}, 1),
        ({"grafana": {"adminPassword": "admin"}}, 1),
        ({"model": {"ngcAPIKey": "x1"}}, 1),
        ({"env": [{"name": "HF_TOKEN", "value": "abc"}]}, 1),
        ({"extraEnv": [{"name": "LOG_LEVEL", "value": "abc"}]}, 0),
        ({"hfToken": Secret("abc-def")}, 0),
        ({"hfToken": UNKNOWN}, 0),
        ({"hfToken": ""}, 0),
        ({"existingSecret": "hf-token", "authSecretName": "hf", "imagePullSecrets": [{"name": "ngc"}]}, 0),
        ({"automountServiceAccountToken": True, "tokenizer": {"enabled": True}}, 0),
        ({"password": {"secretKeyRef": {"name": "x"}}}, 0),
        ({"token": "{{ .Values.global.token }}"}, 0),
    ],
)
def test_chart_values_name_secrets(values: dict[str, Any], count: int) -> None:
    assert len(findings(not_in_chart_values, release("x", "nim-llm", values))) == count


@pytest.mark.parametrize(("key", "count"), [("HUGGING_FACE_HUB_TOKEN", 0), ("hf_0123456789abcdefghijABCDEF", 1)])
def test_a_key_beside_the_name_of_a_secret_is_no_credential(key: str, count: int) -> None:
    token = {"hf_token": {"secretName": "huggingface-credentials", "secretKey": key}}
    assert len(findings(not_in_chart_values, release("x", "vllm-stack", {"modelSpec": [token]}))) == count


@pytest.mark.parametrize(
    ("outputs", "count"),
    [
        ({"kubeconfig": "users:\n- user:\n    token: abc"}, 1),
        ({"kubeConfig": {"users": [{"user": {"client-key-data": "x"}}], "t": "client-key-data"}}, 1),
        ({"api_token": "abc"}, 1),
        ({"adminPassword": "abc"}, 1),
        ({"kubeconfig": "users:\n- user:\n    exec:\n      command: gke-gcloud-auth-plugin"}, 0),
        ({"kubeconfig": Secret("token: abc")}, 0),
        ({"password": UNKNOWN, "endpoint": "https://llm.example.com"}, 0),
    ],
)
def test_outputs_that_give_access_are_secret(outputs: dict[str, Any], count: int) -> None:
    assert len(findings(output_is_secret, resource("pulumi:pulumi:Stack", "llm-prod", outputs))) == count
