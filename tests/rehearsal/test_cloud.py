"""The model of the cloud: computed outputs, names and look-ups, the same in every run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal import urns
from rehearsal.cloud import Asked, CloudError, model_of
from rehearsal.cloud.gcp import autonamed
from rehearsal.cloud.kubernetes import CLUSTER_SCOPED
from rehearsal.values import Secret

HERE = {"project": "my-project", "region": "us-central1"}


def asked(token: str, inputs: Mapping[str, Any], name: str = "thing") -> Asked:
    return Asked(urns.make("dev", "house", "", token, name), inputs, HERE)


def gcp(token: str, inputs: Mapping[str, Any], name: str = "thing") -> tuple[str, Mapping[str, Any]]:
    created = model_of("gcp").create(asked(f"gcp:{token}", inputs, name))
    return created.id, created.computed


IDS = [
    ("compute/network:Network", {"name": "n"}, "projects/my-project/global/networks/n"),
    ("compute/subnetwork:Subnetwork", {"name": "n"}, "projects/my-project/regions/us-central1/subnetworks/n"),
    ("compute/subnetwork:Subnetwork", {"name": "n", "region": "europe-west4", "project": "p"}, "projects/p/regions/europe-west4/subnetworks/n"),
    ("container/cluster:Cluster", {"name": "n", "location": "us-central1-b"}, "projects/my-project/locations/us-central1-b/clusters/n"),
    ("container/cluster:Cluster", {"name": "n"}, "projects/my-project/locations/us-central1/clusters/n"),
    ("container/nodePool:NodePool", {"name": "n", "cluster": "c", "location": "us-central1-b"}, "projects/my-project/locations/us-central1-b/clusters/c/nodePools/n"),
    ("container/nodePool:NodePool", {"name": "n", "cluster": "projects/p/locations/us-east5-a/clusters/c"}, "projects/my-project/locations/us-east5-a/clusters/c/nodePools/n"),
    ("projects/service:Service", {"service": "compute.googleapis.com"}, "my-project/compute.googleapis.com"),
    ("projects/iAMMember:IAMMember", {"role": "roles/x", "member": "m"}, "my-project/roles/x/m"),
    ("storage/bucket:Bucket", {"name": "b"}, "b"),
    ("secretmanager/secret:Secret", {"secretId": "s"}, "projects/my-project/secrets/s"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "expected"), IDS)
def test_ids_have_the_form_of_the_api(token: str, inputs: Mapping[str, Any], expected: str) -> None:
    assert gcp(token, inputs)[0] == expected


def test_compute_resources_have_a_self_link() -> None:
    _, computed = gcp("compute/network:Network", {"name": "n"})

    assert computed["selfLink"] == "https://www.googleapis.com/compute/v1/projects/my-project/global/networks/n"


def test_a_cluster_computes_what_programs_connect_with() -> None:
    _, computed = gcp(
        "container/cluster:Cluster",
        {
            "name": "n",
            "location": "us-central1-b",
            "minMasterVersion": "1.34",
            "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
        },
    )

    assert computed["masterVersion"].startswith("1.34.")
    assert computed["selfLink"].endswith("/zones/us-central1-b/clusters/n")
    assert isinstance(computed["masterAuth"]["clientKey"], Secret)
    named = computed["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert named["allowExternalTraffic"] is True
    assert named["endpoint"].endswith(".us-central1.gke.goog")


def test_a_private_cluster_answers_inside_only() -> None:
    _, public = gcp("container/cluster:Cluster", {"name": "n"})
    _, private = gcp(
        "container/cluster:Cluster", {"name": "n", "privateClusterConfig": {"enablePrivateEndpoint": True}}
    )

    assert public["endpoint"].startswith("203.0.113.")
    assert private["endpoint"].startswith("10.")


def test_a_node_pool_has_a_group_in_each_of_its_zones() -> None:
    _, computed = gcp(
        "container/nodePool:NodePool",
        {"name": "n", "cluster": "c", "nodeLocations": ["us-central1-a", "us-central1-b"]},
    )

    assert len(computed["instanceGroupUrls"]) == 2
    assert "/zones/us-central1-b/" in computed["instanceGroupUrls"][1]


def test_the_zones_of_a_node_pool_are_told_only_where_they_are_known() -> None:
    def zones(place: str) -> object:
        return gcp("container/nodePool:NodePool", {"name": "n", "cluster": "c", "location": place})[1].get(
            "nodeLocations"
        )

    assert zones("us-central1-b") == ["us-central1-b"]
    assert zones("us-central1") is None


def test_a_service_account_is_a_member() -> None:
    _, computed = gcp("serviceaccount/account:Account", {"accountId": "nodes"})

    assert computed["email"] == "nodes@my-project.iam.gserviceaccount.com"
    assert computed["member"] == f"serviceAccount:{computed['email']}"


def test_an_unknown_type_keeps_its_inputs_and_gets_an_id() -> None:
    identity, computed = gcp("pubsub/topic:Topic", {"name": "t"})
    assert identity == "t"
    assert computed["project"] == "my-project"

    created = model_of("random").create(asked("random:index/randomId:RandomId", {}))
    assert created.id


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("gcp:compute/network:Network", True),
        ("gcp:container/nodePool:NodePool", True),
        ("gcp:storage/bucket:Bucket", True),
        ("gcp:dns/recordSet:RecordSet", False),
        ("gcp:projects/service:Service", False),
        ("gcp:projects/iAMMember:IAMMember", False),
        ("gcp:serviceaccount/account:Account", False),
        ("gcp:secretmanager/secret:Secret", False),
        ("gcp:nowhere/thing:Thing", False),
    ],
)
def test_what_the_provider_names_itself(token: str, expected: bool) -> None:
    assert autonamed(token) is expected


def test_a_made_up_name_is_the_logical_one_and_seven_digits() -> None:
    question = asked("gcp:compute/network:Network", {}, "platform-vpc")
    added = model_of("gcp").check(question)

    assert added["name"] == f"platform-vpc-{urns.digits(question.urn, 7)}"
    assert added["__defaults"] == ["name"]
    assert model_of("gcp").check(asked("gcp:compute/network:Network", {"name": "given"})) == {}


@given(st.text(min_size=1, max_size=80))
def test_names_differ_where_resources_differ(name: str) -> None:
    def made(stack: str) -> object:
        urn = urns.make(stack, "house", "", "gcp:compute/network:Network", name)
        return model_of("gcp").check(Asked(urn, {}))["name"]

    assert made("dev") == made("dev") != made("prod")


def kubernetes(token: str, inputs: Mapping[str, Any], name: str = "thing") -> Mapping[str, Any]:
    question = asked(f"kubernetes:{token}", inputs, name)
    completed = {**inputs, **model_of("kubernetes").check(question)}
    created = model_of("kubernetes").create(Asked(question.urn, completed))
    return {**completed, **created.computed, "id": created.id}


def test_an_object_without_name_gets_one_and_is_marked() -> None:
    made = kubernetes("core/v1:ConfigMap", {"metadata": {"labels": {"a": "b"}}}, "settings")

    assert made["metadata"]["name"].startswith("settings-")
    assert len(made["metadata"]["name"]) == len("settings-") + 8
    assert made["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["id"] == f"default/{made['metadata']['name']}"


@pytest.mark.parametrize("metadata", [{"name": "given"}, {"generateName": "given-"}])
def test_an_object_with_a_name_keeps_it(metadata: Mapping[str, Any]) -> None:
    assert "annotations" not in kubernetes("core/v1:ConfigMap", {"metadata": metadata})["metadata"]


def test_kinds_of_the_whole_cluster_have_no_namespace() -> None:
    assert "Namespace" in CLUSTER_SCOPED
    assert kubernetes("core/v1:Namespace", {"metadata": {"name": "n"}})["id"] == "n"
    assert kubernetes("apps/v1:Deployment", {"metadata": {"name": "n", "namespace": "a"}})["id"] == "a/n"


def test_a_release_is_deployed() -> None:
    made = kubernetes(
        "helm.sh/v3:Release", {"chart": "oci://registry.k8s.io/lws/charts/lws", "version": "0.10.0"}, "lws"
    )

    assert made["status"]["status"] == "deployed"
    assert made["status"]["name"] == made["name"]
    assert made["id"] == f"default/{made['name']}"


def test_what_is_balanced_has_an_address() -> None:
    service = kubernetes("core/v1:Service", {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer"}})
    plain = kubernetes("core/v1:Service", {"metadata": {"name": "s"}, "spec": {}})
    gateway = kubernetes("gateway.networking.k8s.io/v1:Gateway", {"metadata": {"name": "g"}})

    assert service["status"]["loadBalancer"]["ingress"][0]["ip"].startswith("203.0.113.")
    assert plain["status"] == {"loadBalancer": {}}
    assert gateway["status"]["addresses"][0]["type"] == "IPAddress"


def test_text_manifests_are_decoded() -> None:
    answer = model_of("kubernetes").invoke("kubernetes:yaml:decode", {"text": "a: 1\n---\n---\nb: 2\n"}, {})

    assert answer == {"result": [{"a": 1}, {"b": 2}]}


def test_a_projects_number_belongs_to_its_id() -> None:
    answers = [
        model_of("gcp").invoke("gcp:organizations/getProject:getProject", {"projectId": name}, HERE)
        for name in ("one", "one", "two")
    ]

    assert answers[0]["number"] == answers[1]["number"] != answers[2]["number"]
    assert str(answers[0]["number"]).isdigit()


def test_a_secret_is_answered_with_a_value_that_is_nobodys() -> None:
    answer = model_of("gcp").invoke(
        "gcp:secretmanager/getSecretVersionAccess:getSecretVersionAccess", {"secret": "llm-api-key"}, HERE
    )

    assert answer["secretData"] == "rehearsed-value-of-llm-api-key"
    assert answer["version"] == "1"


@pytest.mark.parametrize(
    ("package", "token", "place"),
    [
        ("gcp", "gcp:compute/getImage:getImage", "gcp_lookups.py"),
        ("kubernetes", "kubernetes:helm:template", "kubernetes.py"),
        ("random", "random:index:get", "providers.py"),
    ],
)
def test_an_unknown_question_says_where_its_answer_belongs(package: str, token: str, place: str) -> None:
    with pytest.raises(CloudError) as caught:
        model_of(package).invoke(token, {}, {})

    assert token in str(caught.value)
    assert place in str(caught.value)
