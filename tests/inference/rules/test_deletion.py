from __future__ import annotations

import pytest

from inference.rules import deletion
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    cluster,
    custom,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
    resource,
    urn,
)

SAYS, PROTECTED = deletion.cluster_says_whether, deletion.cluster_is_protected
GUARDED, API = deletion.accelerator_pool_is_guarded, deletion.api_stays_enabled
NODES, CONTROLLER = deletion.objects_go_before_nodes, deletion.custom_object_goes_before_controller


# ---------------------------------------------------------------- clusters


@pytest.mark.parametrize("props", [{"deletionProtection": None}, {"deletionProtection": True, "__defaults": ["deletionProtection"]}])  # fmt: skip
@pytest.mark.parametrize("stack", ["dev", "prod", "case"])
def test_a_cluster_that_does_not_say_is_found_everywhere(stack: str, props: dict) -> None:
    assert "default" in findings(SAYS, cluster(props=props, stack=stack))[0]


@pytest.mark.parametrize(
    ("stack", "value", "found"),
    [
        ("dev", True, True),
        ("dev", "true", True),
        ("pr-123", True, True),
        ("acme/llm/dev", True, True),
        ("dev", False, False),
        ("prod", False, True),
        ("eu-production", False, True),
        ("prod", True, False),
        ("case", True, False),
        ("case", False, False),
        ("non-prod", True, False),
        ("prod-test", False, False),
        ("dev", UNKNOWN, False),
    ],
)
def test_a_cluster_says_what_fits_its_stack(stack: str, value: object, found: bool) -> None:
    assert bool(findings(SAYS, cluster(props={"deletionProtection": value}, stack=stack))) is found


def test_labels_and_configuration_tell_the_environment() -> None:
    labeled = cluster(props={"deletionProtection": True, "resourceLabels": {"environment": "dev"}}, stack="prod")
    assert findings(SAYS, labeled)
    kept = cluster(props={"deletionProtection": True}, stack="dev")
    assert not findings(SAYS, kept, configuration={"environment": "production"})
    assert findings(SAYS, kept, configuration={"environment": "development"})


def test_a_production_cluster_without_protection_is_found() -> None:
    assert findings(PROTECTED, cluster(stack="prod"))
    assert findings(PROTECTED, cluster(), configuration={"environment": "production"})


def test_clusters_that_are_protected_or_need_not_be_are_silent() -> None:
    assert not findings(PROTECTED, cluster(stack="prod", options={"protect": True}))
    assert not findings(PROTECTED, cluster(stack="dev"))
    assert not findings(PROTECTED, cluster())
    assert not findings(PROTECTED, cluster(stack="prod", options={}))


# ---------------------------------------------------------------- pools


def pool(props: dict | None = None, **kw: object) -> Resource:
    return node_pool("gpus", {"initialNodeCount": 1, **(props or {})}, **kw)


def test_an_initial_count_that_may_replace_the_pool_is_found() -> None:
    assert "initialNodeCount" in findings(GUARDED, pool())[0]
    tpu = {"nodeConfig": {"machineType": "ct6e-standard-4t", "guestAccelerators": None}}
    assert findings(GUARDED, pool(tpu))


@pytest.mark.parametrize("ignored", ["initialNodeCount", "initial_node_count", '["initialNodeCount"]', "*"])
def test_an_initial_count_whose_changes_are_ignored_is_silent(ignored: str) -> None:
    assert not findings(GUARDED, pool(options={"protect": False, "ignoreChanges": ["nodeConfig.labels", ignored]}))


def test_a_production_pool_without_protection_is_found() -> None:
    ignoring = {"protect": False, "ignoreChanges": ["initialNodeCount"]}
    assert "production" in findings(GUARDED, pool(stack="prod", options=ignoring))[0]
    assert not findings(GUARDED, pool(stack="dev", options=ignoring))


def test_pools_that_are_guarded_or_cheap_are_silent() -> None:
    assert not findings(GUARDED, pool(stack="prod", options={"protect": True}))
    assert not findings(GUARDED, pool(options={}))
    assert not findings(GUARDED, node_pool())
    cpu = {"nodeConfig": {"machineType": "e2-standard-4", "guestAccelerators": None}}
    assert not findings(GUARDED, pool(cpu, stack="prod"))


# ---------------------------------------------------------------- APIs


@pytest.mark.parametrize(
    ("props", "count"),
    [
        ({"disableOnDestroy": True}, 1),
        ({"disableOnDestroy": "true"}, 1),
        ({}, 1),
        ({"disableOnDestroy": False, "disableDependentServices": True}, 1),
        ({"disableOnDestroy": True, "disableDependentServices": True}, 2),
        ({"disableOnDestroy": False}, 0),
        ({"disableOnDestroy": False, "disableDependentServices": False}, 0),
        ({"disableOnDestroy": UNKNOWN}, 0),
        ({"deletionPolicy": "ABANDON"}, 0),
    ],
)
def test_an_api_stays_enabled(props: dict, count: int) -> None:
    service = resource("gcp:projects/service:Service", "gke", {"service": "container.googleapis.com", **props})
    assert len(findings(API, service)) == count


# ---------------------------------------------------------------- order

PROVIDER = "pulumi:providers:kubernetes"


def provider(*dependencies: Resource) -> tuple[Resource, Provider]:
    declared = resource(PROVIDER, "gke", {}, dependencies=dependencies)
    return declared, Provider(PROVIDER, "gke", urn(PROVIDER, "gke"))


def cpu_pool(**kw: object) -> Resource:
    return node_pool("system", {"nodeConfig": {"machineType": "e2-standard-4", "guestAccelerators": None}}, **kw)


def test_objects_that_wait_for_the_cluster_only_are_found_once() -> None:
    platform = cluster()
    system = cpu_pool(dependencies=[platform])
    declared, reference = provider(platform)
    objects = [deployment(name, provider=reference) for name in ("a", "b", "c", "d")]
    found = findings(NODES, platform, system, declared, *objects)
    assert len(found) == 1
    assert "and 1 more objects" in found[0]


def test_objects_that_wait_for_an_accelerator_pool_only_are_found() -> None:
    platform = cluster()
    system, gpus = cpu_pool(dependencies=[platform]), node_pool(dependencies=[platform])
    declared, reference = provider(platform, gpus)
    assert findings(NODES, platform, system, gpus, declared, deployment(provider=reference))


def test_objects_that_wait_for_a_cpu_pool_are_silent() -> None:
    platform = cluster()
    system = cpu_pool(dependencies=[platform])
    gpus = node_pool(dependencies=[platform, system])
    by_provider, reference = provider(platform, system)
    assert not findings(NODES, platform, system, by_provider, deployment(provider=reference))
    behind, reference = provider(platform, gpus)
    assert not findings(NODES, platform, system, gpus, behind, deployment(provider=reference))
    plain, reference = provider(platform)
    own = deployment(provider=reference, dependencies=[system])
    assert not findings(NODES, platform, system, plain, own)


def test_objects_of_clusters_with_nodes_of_their_own_are_silent() -> None:
    for props in ({"removeDefaultNodePool": None}, {"enableAutopilot": True}):
        platform = cluster(props=props)
        declared, reference = provider(platform)
        assert not findings(NODES, platform, cpu_pool(), declared, deployment(provider=reference))
    platform = cluster()
    declared, reference = provider(platform)
    assert not findings(NODES, platform, declared, deployment(provider=reference))
    assert not findings(NODES, platform, cpu_pool(), deployment())


def release(chart: str, **kw: object) -> Resource:
    return resource("kubernetes:helm.sh/v3:Release", chart, {"chart": chart}, **kw)


@pytest.mark.parametrize(
    ("chart", "thing"),
    [
        ("oci://registry.k8s.io/lws/charts/lws", leader_worker_set),
        (
            "oci://registry.k8s.io/kueue/charts/kueue",
            lambda **kw: custom("kueue.x-k8s.io/v1beta1", "LocalQueue", "q", {}, **kw),
        ),
        ("cert-manager", lambda **kw: custom("cert-manager.io/v1", "Certificate", "c", {}, **kw)),
        (
            "kserve-llmisvc-resources",
            lambda **kw: custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "s", {}, **kw),
        ),
    ],
)
def test_a_custom_object_waits_for_its_controller(chart: str, thing: object) -> None:
    controller = release(chart)
    assert len(findings(CONTROLLER, controller, thing())) == 1
    assert not findings(CONTROLLER, controller, thing(dependencies=[controller]))
    assert not findings(CONTROLLER, thing())


def test_a_controller_by_deployment_or_behind_others_counts() -> None:
    manager = deployment("lws-controller-manager")
    assert findings(CONTROLLER, manager, leader_worker_set())
    between = deployment("between", dependencies=[manager])
    assert not findings(CONTROLLER, manager, between, leader_worker_set(dependencies=[between]))


def test_objects_without_a_controller_in_the_program_are_silent() -> None:
    gateway = custom("gateway.networking.k8s.io/v1", "Gateway", "g", {})
    assert not findings(CONTROLLER, release("lws"), gateway, deployment())


# ---------------------------------------------------------------- buckets


@pytest.mark.parametrize(
    ("stack", "props", "options", "found"),
    [
        ("prod", {"forceDestroy": True}, {"protect": False}, True),
        ("prod", {"forceDestroy": "true"}, {"protect": False}, True),
        ("case", {"forceDestroy": True, "labels": {"env": "production"}}, {"protect": False}, True),
        ("dev", {"forceDestroy": True}, {"protect": False}, False),
        ("prod", {"forceDestroy": True}, {"protect": True}, False),
        ("prod", {"forceDestroy": False}, {"protect": False}, False),
        ("prod", {"forceDestroy": UNKNOWN}, {"protect": False}, False),
        ("prod", {}, {"protect": False}, False),
    ],
)
def test_a_production_bucket_keeps_its_objects(stack: str, props: dict, options: dict, found: bool) -> None:
    bucket = resource("gcp:storage/bucket:Bucket", "weights", props, options=options, stack=stack)
    assert bool(findings(deletion.bucket_keeps_objects, bucket)) is found
