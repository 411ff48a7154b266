from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from inference.rules.nim import api_key_from_secret, cache_on_volume, operator_secrets_exist, pull_secret_user
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.cases import changed, container, custom, deployment, findings, resource, workload

IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.15.0"
KEY = {"name": "NGC_API_KEY", "valueFrom": {"secretKeyRef": {"name": "ngc-api", "key": "NGC_API_KEY"}}}


def nim_container(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    base = {
        "name": "nim",
        "image": IMAGE,
        "env": [KEY],
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "volumeMounts": [{"name": "cache", "mountPath": "/opt/nim/.cache"}],
    }
    return changed(base, changes or {})


def nims(changes: dict[str, Any] | None = None, pod: dict[str, Any] | None = None) -> list[Resource]:
    """Return NIMs of several kinds with a claim for their cache."""
    claim = [{"name": "cache", "persistentVolumeClaim": {"claimName": "nim-cache"}}]
    spec = changed(
        {"containers": [nim_container(changes)], "volumes": claim, "securityContext": {"fsGroup": 1000}}, pod or {}
    )
    template = {"metadata": {"labels": {"app": "nim"}}, "spec": spec}
    return [
        deployment("nim", containers=spec["containers"], pod=spec),
        workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "nim", {"template": template}, None),
        custom(
            "leaderworkerset.x-k8s.io/v1",
            "LeaderWorkerSet",
            "nim",
            {"leaderWorkerTemplate": {"size": 1, "workerTemplate": template}},
        ),
    ]


class TestApiKey:
    @pytest.mark.parametrize("env", [None, [], [{"name": "NIM_LOG_LEVEL", "value": "INFO"}]])
    def test_a_nim_without_key_is_found(self, env: object) -> None:
        for nim in nims({"env": env}):
            assert len(findings(api_key_from_secret, nim)) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"env": UNKNOWN},
            {"env": [UNKNOWN]},
            {"env": None, "envFrom": [{"secretRef": {"name": "exists-already"}}]},
            {"env": None, "envFrom": UNKNOWN},
            {"env": [{"name": "NIM_MODEL_PATH", "value": "hf://meta-llama/Llama-3.1-8B-Instruct"}]},
            {"env": None, "image": "us-docker.pkg.dev/acme/mirror/nim/llama:1.15.0"},
        ],
    )
    def test_a_nim_with_key_or_perhaps_with_one_is_silent(self, changes: dict[str, Any]) -> None:
        for nim in nims(changes):
            assert findings(api_key_from_secret, nim) == []

    @pytest.mark.parametrize(("key", "count"), [("NGC_API_KEY", 0), ("OTHER", 1)])
    def test_a_whole_secret_counts_by_its_keys(self, key: str, count: int) -> None:
        metadata = {"metadata": {"name": "ngc", "namespace": "serving"}}
        secret = resource(
            "kubernetes:core/v1:Secret", "ngc", {"kind": "Secret", **metadata, "stringData": {key: Secret("x")}}
        )
        for nim in nims({"env": None, "envFrom": [{"secretRef": {"name": "ngc"}}]}):
            assert len(findings(api_key_from_secret, nim, secret)) == count

    def test_other_servers_need_no_key(self) -> None:
        assert findings(api_key_from_secret, deployment(containers=[container({"env": None})])) == []


class TestPullSecret:
    def secret(self, login: dict[str, str], *, encoded: bool = False, registry: str = "nvcr.io") -> Resource:
        text = json.dumps({"auths": {registry: login}})
        value = {"data": base64.b64encode(text.encode()).decode()} if encoded else {"stringData": text}
        place, content = next(iter(value.items()))
        props = {"kind": "Secret", "metadata": {"name": "ngc"}, "type": "kubernetes.io/dockerconfigjson"}
        return resource("kubernetes:core/v1:Secret", "ngc", {**props, place: {".dockerconfigjson": Secret(content)}})

    @pytest.mark.parametrize("encoded", [False, True])
    @pytest.mark.parametrize(
        "login", [{"username": "me@example.com"}, {"username": ""}, {"auth": base64.b64encode(b"me:nvapi-x").decode()}]
    )
    def test_another_user_is_found(self, login: dict[str, str], encoded: bool) -> None:
        found = findings(pull_secret_user, self.secret(login, encoded=encoded))

        assert len(found) == 1
        assert "nvapi" not in found[0]

    def test_the_user_of_ngc_other_registries_and_noise_are_silent(self) -> None:
        good = {"username": "$oauthtoken", "password": "nvapi-x"}
        for silent in (self.secret(good), self.secret({"username": "me"}, registry="quay.io")):
            assert findings(pull_secret_user, silent) == []
        for content in (UNKNOWN, "no json", "[]", "%%%"):
            noise = {"kind": "Secret", "data": {".dockerconfigjson": content}}
            assert findings(pull_secret_user, resource("kubernetes:core/v1:Secret", "n", noise)) == []


class TestCache:
    @pytest.mark.parametrize(
        "changes",
        [
            {"volumeMounts": None},
            {"volumeMounts": [{"name": "cache", "mountPath": "/model-store"}]},
            {"volumeMounts": [{"name": "cache", "mountPath": "/opt/nim/.cachet"}]},
            {"env": [KEY, {"name": "NIM_CACHE_PATH", "value": "/model-store"}]},
            {"volumeMounts": [{"name": "cache", "mountPath": "/opt/nim/.cache", "readOnly": True}]},
        ],
    )
    def test_a_cache_beside_the_volume_is_found(self, changes: dict[str, Any]) -> None:
        for nim in nims(changes):
            assert len(findings(cache_on_volume, nim)) == 1

    @pytest.mark.parametrize("context", [None, {"fsGroup": None}, {"fsGroup": None, "runAsUser": 1000}])
    def test_a_claim_without_fs_group_is_found(self, context: dict[str, Any] | None) -> None:
        for nim in nims(pod={"securityContext": context}):
            assert len(findings(cache_on_volume, nim)) == 1

    def test_a_claim_template_counts(self) -> None:
        template = {"spec": {"containers": [nim_container()]}}
        spec = {"template": template, "volumeClaimTemplates": [{"metadata": {"name": "cache"}}]}
        nim = workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "nim", spec, None)

        assert len(findings(cache_on_volume, nim)) == 1

    @pytest.mark.parametrize(
        ("changes", "pod"),
        [
            ({}, {}),
            ({"volumeMounts": [{"name": "cache", "mountPath": "/opt/nim"}]}, {}),
            (
                {
                    "volumeMounts": [{"name": "cache", "mountPath": "/model-store"}],
                    "env": [KEY, {"name": "NIM_CACHE_PATH", "value": "/model-store/cache"}],
                },
                {},
            ),
            ({}, {"volumes": [{"name": "cache", "emptyDir": {}}], "securityContext": None}),
            ({}, {"securityContext": {"runAsUser": 0}}),
            ({}, {"securityContext": UNKNOWN}),
            ({"volumeMounts": UNKNOWN}, {}),
            ({"env": [KEY, {"name": "NIM_CACHE_PATH", "value": UNKNOWN}], "volumeMounts": None}, {}),
        ],
    )
    def test_a_writable_cache_on_a_volume_is_silent(self, changes: dict[str, Any], pod: dict[str, Any]) -> None:
        for nim in nims(changes, pod):
            assert findings(cache_on_volume, nim) == []

    def test_the_cache_of_a_kserve_model_is_that_of_its_runtime(self) -> None:
        image = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.4"
        model = {"modelFormat": {"name": "nvidia-nim"}, "image": image, "storageUri": "pvc://nim/"}
        gpus = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
        service = custom("serving.kserve.io/v1beta1", "InferenceService", "nim", {"predictor": {"model": model | gpus}})
        assert findings(cache_on_volume, service) == []


class TestOperator:
    def service(self, **spec: Any) -> Resource:
        image = {"repository": "nvcr.io/nim/meta/llama-3.1-8b-instruct", "tag": "1.8.4", "pullSecrets": ["ngc"]}
        return custom("apps.nvidia.com/v1alpha1", "NIMService", "nim", {"image": image, "authSecret": "api"} | spec)

    def secrets(self, *names: str) -> list[Resource]:
        kind = "kubernetes:core/v1:Secret"
        metadata = [{"name": name, "namespace": "serving"} for name in names]
        return [resource(kind, m["name"], {"apiVersion": "v1", "kind": "Secret", "metadata": m}) for m in metadata]

    def test_secrets_that_are_not_there_are_found(self) -> None:
        assert len(findings(operator_secrets_exist, self.service(), *self.secrets("ngc"))) == 1
        assert len(findings(operator_secrets_exist, self.service(), *self.secrets("ngc-secret"))) == 2
        ngc = {"source": {"ngc": {"authSecret": "key", "pullSecret": "ngc"}}}
        cache = custom("apps.nvidia.com/v1alpha1", "NIMCache", "nim", ngc)
        assert len(findings(operator_secrets_exist, cache, *self.secrets("ngc", "api"))) == 1

    def test_secrets_that_are_there_or_may_be_are_silent(self) -> None:
        assert findings(operator_secrets_exist, self.service(), *self.secrets("ngc", "api")) == []
        assert findings(operator_secrets_exist, self.service()) == []
        assert findings(operator_secrets_exist, self.service(authSecret=UNKNOWN), *self.secrets("ngc")) == []
