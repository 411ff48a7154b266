from __future__ import annotations

from typing import Any

import pytest

from inference.rules.secrets import for_image_pull_present, reference_resolves
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource
from tests.inference.rules.gateway_cases import release

NIM = "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.15.0"
PULL = {"type": "kubernetes.io/dockerconfigjson"}


def secret(name: str = "hf-token", namespace: str = "serving", **props: Any) -> Resource:
    base = {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "stringData": {"token": Secret("x")}}
    return resource("kubernetes:core/v1:Secret", f"{namespace}-{name}", base | props)


def config(name: str = "env", **data: str) -> Resource:
    props = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "serving"}, "data": data}
    return resource("kubernetes:core/v1:ConfigMap", name, props)


class TestReference:
    def test_a_key_that_is_not_in_the_secret_is_found_in_every_kind(self) -> None:
        for workload in (deployment(), leader_worker_set()):
            assert findings(reference_resolves, workload, secret()) == []
            wrong = findings(reference_resolves, workload, secret(stringData={"HF_TOKEN": Secret("x")}))
            assert wrong
            assert "HF_TOKEN" in wrong[0]

    def test_a_name_that_is_not_among_those_of_the_namespace_is_found(self) -> None:
        assert len(findings(reference_resolves, deployment(), secret("huggingface-token"))) == 1

    def test_a_key_of_an_inference_service_counts(self) -> None:
        token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "HF_TOKEN"}}}
        predictor = {"model": {"modelFormat": {"name": "huggingface"}, "env": [token]}}
        service = custom("serving.kserve.io/v1beta1", "InferenceService", "llama", {"predictor": predictor})

        assert len(findings(reference_resolves, service, secret())) == 1
        assert findings(reference_resolves, service, secret(stringData={"HF_TOKEN": Secret("x")})) == []

    def test_a_copy_that_is_missing_in_the_namespace_is_found(self) -> None:
        assert "infra" in findings(reference_resolves, deployment(), secret(namespace="infra"))[0]

    @pytest.mark.parametrize(
        "pod",
        [
            {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]},
            {"volumes": [{"name": "v", "secret": {"secretName": "hf-token", "items": [{"key": "x", "path": "y"}]}}]},
            {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "other"}}]}}]},
            {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "other"}}]}]},
        ],
    )
    def test_volumes_and_whole_environments_count(self, pod: dict[str, Any]) -> None:
        assert len(findings(reference_resolves, deployment(pod=pod), secret())) == 1

    def test_config_maps_count(self) -> None:
        entry = {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "mode"}}}
        reading = deployment(containers=[container({"env": [entry]})])

        assert findings(reference_resolves, reading, config(mode="fast")) == []
        assert len(findings(reference_resolves, reading, config(other="fast"))) == 1
        assert len(findings(reference_resolves, reading, config("other"))) == 1

    @pytest.mark.parametrize(
        "others",
        [
            (),
            (secret(stringData=UNKNOWN),),
            (secret(stringData=None, data={"token": "eA=="}),),
            (secret(type="kubernetes.io/service-account-token", stringData=None),),
            (
                secret("other"),
                custom("external-secrets.io/v1", "ExternalSecret", "hf", {"target": {"name": "hf-token"}}),
            ),
            (secret("other"), custom("bitnami.com/v1alpha1", "SealedSecret", "hf-token", {})),
            (secret("other"), release("secrets", "own-chart")),
            (secret("other"), secret(metadata={"name": UNKNOWN, "namespace": "serving"})),
        ],
    )
    def test_what_exists_or_may_exist_is_silent(self, others: tuple[Resource, ...]) -> None:
        assert findings(reference_resolves, deployment(), *others) == []

    def test_an_optional_reference_is_silent(self) -> None:
        reference = {"name": "hf-token", "key": "token", "optional": True}
        entry = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}

        assert findings(reference_resolves, deployment(containers=[container({"env": [entry]})]), secret("other")) == []


class TestPullSecret:
    def nim(self, **pod: Any) -> Resource:
        return deployment(containers=[container({"image": NIM})], pod=pod)

    def account(self, name: str, **props: Any) -> Resource:
        metadata = {"metadata": {"name": name, "namespace": "serving"}}
        return resource("kubernetes:core/v1:ServiceAccount", name, {"kind": "ServiceAccount", **metadata, **props})

    @pytest.mark.parametrize("image", [NIM, "registry.redhat.io/rhaiis/vllm-tpu-rhel9:3.2.5", "nvcr.io/acme/own:1.0.0"])
    def test_an_image_that_needs_a_login_without_pull_secret_is_found(self, image: str) -> None:
        assert len(findings(for_image_pull_present, deployment(containers=[container({"image": image})]))) == 1
        init = {"name": "i", "image": image}
        assert len(findings(for_image_pull_present, deployment(pod={"initContainers": [init]}))) == 1

    @pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.32.0", "nvcr.io/nvidia/cuda:13.0.0-base-ubuntu24.04"])
    def test_an_image_that_everybody_may_pull_is_silent(self, image: str) -> None:
        assert findings(for_image_pull_present, deployment(containers=[container({"image": image})])) == []

    def test_a_pull_secret_in_another_namespace_or_of_another_type_is_found(self) -> None:
        pulling = self.nim(imagePullSecrets=[{"name": "ngc"}])

        assert findings(for_image_pull_present, pulling, secret("ngc", **PULL)) == []
        assert len(findings(for_image_pull_present, pulling, secret("ngc", namespace="infra", **PULL))) == 1
        assert len(findings(for_image_pull_present, pulling, secret("ngc"))) == 1
        assert len(findings(for_image_pull_present, pulling, secret("ngc", type="Opaque"))) == 1
        assert len(findings(for_image_pull_present, pulling, secret("other", **PULL))) == 1

    def test_the_service_account_may_name_it(self) -> None:
        named = {"imagePullSecrets": [{"name": "ngc"}]}

        for name, pod in (("nim", {"serviceAccountName": "nim"}), ("default", {})):
            assert findings(for_image_pull_present, self.nim(**pod), self.account(name, **named)) == []
            assert len(findings(for_image_pull_present, self.nim(**pod), self.account(name))) == 1

    def test_what_exists_already_or_is_unknown_is_silent(self) -> None:
        assert findings(for_image_pull_present, self.nim(imagePullSecrets=[{"name": "ngc"}])) == []
        assert findings(for_image_pull_present, self.nim(imagePullSecrets=UNKNOWN)) == []
        assert findings(for_image_pull_present, self.nim(serviceAccountName="nim")) == []
        assert findings(for_image_pull_present, self.nim(imagePullSecrets=[{"name": UNKNOWN}]), secret("x")) == []
