"""The fast servicer says what the policy SDK's own loop says."""

from __future__ import annotations

import gc
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2

from inference.facts.wire import UNKNOWN
from inference.problems import ProblemsError
from policies import decoding
from policies.pack import NAME
from tests.policies.conftest import MakeServicer
from tests.policies.samples import (
    CLAIM,
    DEPLOYMENT,
    POOL,
    RULES,
    SECRET,
    SERVICE,
    deployment,
    of_stack,
    pool,
    request,
    secret,
    service,
    stack_request,
    struct,
    urn,
)

PROTECTED = analyzer_pb2.AnalyzerResourceOptions(protect=True)
PARENTED = analyzer_pb2.AnalyzerResourceOptions(parent="urn:parent")
PROVIDER = analyzer_pb2.AnalyzerProviderResource(
    type="pulumi:providers:gcp", name="gcp", urn="urn:gcp", properties=struct({"project": UNKNOWN})
)
REQUESTS = {
    "a clean deployment": request(DEPLOYMENT, deployment("vllm:0.1", {"owner": "me"})),
    "two findings": request(DEPLOYMENT, deployment()),
    "an unknown image": request(DEPLOYMENT, deployment(UNKNOWN)),
    "unknown labels": request(DEPLOYMENT, {**deployment(), "metadata": UNKNOWN}),
    "an unknown list": request(DEPLOYMENT, {**deployment(), "spec": {"template": {"spec": {"containers": [UNKNOWN]}}}}),
    "a secret map": request(DEPLOYMENT, {**deployment(), "metadata": secret({"labels": {"a": "b"}})}),
    "a large pool": request(POOL, pool(20, "mars"), options=PARENTED, provider=PROVIDER),
    "a protected pool": request(POOL, pool(3), options=PROTECTED),
    "a pool of unknown size": request(POOL, pool(UNKNOWN, UNKNOWN)),
    "a type that no rule knows": request("aws:s3/bucket:Bucket", {"acl": "public"}),
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "all advisory": {"all": "advisory"},
    "all mandatory": {"all": "mandatory"},
    "all but one disabled": {
        "all": "disabled",
        "sample-object-has-owner": "remediate",
        "sample-service-has-pods": "remediate",
    },
    "parameters": {
        "sample-pool-is-small": {"enforcementLevel": "advisory", "maxNodes": 19, "zones": ["mars", "us-central1-a"]}
    },
}
STACKS = {
    "a service with pods": [of_stack(SERVICE, service({"app": "server"})), of_stack(DEPLOYMENT, deployment())],
    "a service without": [of_stack(SERVICE, service({"app": "other"})), of_stack(DEPLOYMENT, deployment())],
    "two services without": [of_stack(SERVICE, service({"app": "a"}), name=f"s{i}") for i in range(2)],
    "nothing": [],
}


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
def test_the_verdict_on_a_resource_is_that_of_the_sdk(
    fast: MakeServicer, slow: MakeServicer, configuration: dict[str, Any], asked: analyzer_pb2.AnalyzeRequest
) -> None:
    assert fast(configuration).Analyze(asked, None) == slow(configuration).Analyze(asked, None)


@pytest.mark.parametrize("configuration", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("resources", STACKS.values(), ids=STACKS)
def test_the_verdict_on_a_stack_is_that_of_the_sdk(
    fast: MakeServicer,
    slow: MakeServicer,
    configuration: dict[str, Any],
    resources: list[analyzer_pb2.AnalyzerResource],
) -> None:
    asked = stack_request(resources)
    assert fast(configuration).AnalyzeStack(asked, None) == slow(configuration).AnalyzeStack(asked, None)


values = st.recursive(
    st.sampled_from(["vllm:latest", "vllm:1", UNKNOWN, "", None, True, 9, 0.5]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "image", "owner", "labels"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(image=values, labels=values, containers=values, nodes=values)
def test_the_verdicts_agree_on_odd_resources_too(
    fast: MakeServicer, slow: MakeServicer, image: Any, labels: Any, containers: Any, nodes: Any
) -> None:
    odd = deployment(image)
    odd["metadata"]["labels"] = labels
    odd["spec"]["template"]["spec"]["initContainers"] = containers
    for asked in (request(DEPLOYMENT, odd), request(POOL, pool(nodes, image))):
        assert fast().Analyze(asked, None) == slow().Analyze(asked, None)


def test_a_finding_carries_all_that_the_engine_shows(fast: MakeServicer) -> None:
    (found,) = fast().Analyze(request(DEPLOYMENT, deployment(labels={"owner": "me"})), None).diagnostics

    assert found.policyName == "sample-image-is-pinned"
    assert found.policyPackName == NAME
    assert found.description == "The thing is in order. Nothing works."
    assert found.message == (
        'The thing is in order. Nothing works.\nThe container "vllm" of Deployment "server" runs vllm:latest; '
        "write a version."
    )
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert found.severity == analyzer_pb2.POLICY_SEVERITY_HIGH


def test_a_finding_on_a_stack_names_the_resource(fast: MakeServicer) -> None:
    (found,) = (
        fast().AnalyzeStack(stack_request([of_stack(SERVICE, service({"app": "x"}), name="web")]), None).diagnostics
    )

    assert found.urn == urn(SERVICE, "web")
    assert found.severity == analyzer_pb2.POLICY_SEVERITY_MEDIUM


def names(response: analyzer_pb2.AnalyzeResponse) -> dict[str, int]:
    return {found.policyName: found.enforcementLevel for found in response.diagnostics}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, {"sample-image-is-pinned": analyzer_pb2.MANDATORY, "sample-object-has-owner": analyzer_pb2.ADVISORY}),
        ({"all": "disabled"}, {}),
        ({"all": "disabled", "sample-image-is-pinned": "advisory"}, {"sample-image-is-pinned": analyzer_pb2.ADVISORY}),
        (
            {"sample-image-is-pinned": {"enforcementLevel": "disabled"}},
            {"sample-object-has-owner": analyzer_pb2.ADVISORY},
        ),
        (
            {"sample-image-is-pinned": "disabled", "sample-object-has-owner": "remediate"},
            {"sample-object-has-owner": analyzer_pb2.MANDATORY},
        ),
    ],
)
def test_levels_are_those_of_the_configuration(
    fast: MakeServicer, configuration: dict[str, Any], expected: dict[str, int]
) -> None:
    assert names(fast(configuration).Analyze(request(DEPLOYMENT, deployment()), None)) == expected


def test_a_rule_that_is_disabled_by_itself_can_be_enabled(fast: MakeServicer) -> None:
    asked = request(
        SECRET, {"kind": "Secret", "metadata": {"labels": {"owner": "me"}}, "stringData": {"token": "abcdef"}}
    )

    assert names(fast().Analyze(asked, None)) == {}
    assert names(fast({"sample-token-is-secret": "advisory"}).Analyze(asked, None)) == {
        "sample-token-is-secret": analyzer_pb2.ADVISORY
    }


def test_rules_see_what_is_secret(fast: MakeServicer, slow: MakeServicer) -> None:
    configuration = {"sample-token-is-secret": "mandatory"}
    kept = request(
        SECRET, {"kind": "Secret", "metadata": {"labels": {"owner": "me"}}, "stringData": secret({"a": "bcdef"})}
    )
    told = request(SECRET, {"kind": "Secret", "metadata": {"labels": {"owner": "me"}}, "stringData": {"a": "bcdef"}})

    assert not fast(configuration).Analyze(kept, None).diagnostics
    assert names(fast(configuration).Analyze(told, None)) == {"sample-token-is-secret": analyzer_pb2.MANDATORY}
    assert not slow(configuration).Analyze(told, None).diagnostics, "the SDK's loop cannot know, so nothing is said"


def test_a_secret_is_not_quoted(fast: MakeServicer) -> None:
    asked = request(DEPLOYMENT, deployment(secret("registry.internal/hidden:latest"), {"owner": "me"}))

    (found,) = fast().Analyze(asked, None).diagnostics

    assert "hidden" not in found.message
    assert "runs [secret]; write a version" in found.message


def test_a_secret_is_not_quoted_in_what_is_said_about_a_stack(fast: MakeServicer) -> None:
    hidden = service({"app": "x"})
    hidden["metadata"]["name"] = secret("project-hush")

    (found,) = fast().AnalyzeStack(stack_request([of_stack(SERVICE, hidden)]), None).diagnostics

    assert "hush" not in found.message
    assert 'Service "[secret]" selects no pods' in found.message


def test_parameters_are_those_of_the_configuration(fast: MakeServicer) -> None:
    asked = request(POOL, pool(9), options=PROTECTED)
    strict = {"sample-pool-is-small": {"maxNodes": 2, "zones": []}}

    (usual,) = fast().Analyze(asked, None).diagnostics
    found = [found.message.splitlines()[1] for found in fast(strict).Analyze(asked, None).diagnostics]

    assert usual.message.endswith("The pool has 9 nodes, more than 8.")
    assert found == ["The pool has 9 nodes, more than 2.", "The pool is in us-central1-a, not in ."]
    assert not fast({"sample-pool-is-small": {"maxNodes": 9}}).Analyze(asked, None).diagnostics


def test_a_later_configuration_replaces_an_earlier_one(fast: MakeServicer) -> None:
    made = fast({"all": "disabled"})
    asked = request(DEPLOYMENT, deployment())
    assert not made.Analyze(asked, None).diagnostics

    message = analyzer_pb2.ConfigureAnalyzerRequest()
    message.policyConfig["sample-image-is-pinned"].enforcementLevel = analyzer_pb2.ADVISORY
    made.Configure(message, None)

    assert names(made.Analyze(asked, None)) == {
        "sample-image-is-pinned": analyzer_pb2.ADVISORY,
        "sample-object-has-owner": analyzer_pb2.ADVISORY,
    }


def test_the_engine_hears_of_a_parameter_that_does_not_fit(fast: MakeServicer) -> None:
    message = analyzer_pb2.ConfigureAnalyzerRequest()
    message.policyConfig["sample-pool-is-small"].enforcementLevel = analyzer_pb2.MANDATORY
    message.policyConfig["sample-pool-is-small"].properties.update({"maxNodes": "many", "minNodes": 1})

    with pytest.raises(ProblemsError, match="2 problems") as error:
        fast().Configure(message, None)

    assert [problem.where for problem in error.value.problems] == [
        "sample-pool-is-small.maxNodes",
        "sample-pool-is-small.minNodes",
    ]


def test_the_log_names_a_configured_policy_that_does_not_exist(
    fast: MakeServicer, caplog: pytest.LogCaptureFixture
) -> None:
    message = analyzer_pb2.ConfigureAnalyzerRequest()
    message.policyConfig["sample-pool-is-smal"].enforcementLevel = analyzer_pb2.MANDATORY
    message.policyConfig["all"].enforcementLevel = analyzer_pb2.MANDATORY

    fast().Configure(message, None)

    (record,) = caplog.records
    assert "sample-pool-is-smal, which is no policy" in record.getMessage()


@pytest.mark.parametrize("kind", ["fast", "slow"])
def test_a_rule_that_fails_hides_no_other_and_stops_nothing(
    kind: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    made = request.getfixturevalue(kind)(rules=RULES)
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"storageClassName": "hyperdisk"}}
    asked = analyzer_pb2.AnalyzeRequest(type=CLAIM, name="c", urn="urn:c", properties=struct(claim))

    failed, verdict = made.Analyze(asked, None).diagnostics

    assert failed.policyName == "sample-claim-can-grow"
    assert failed.enforcementLevel == analyzer_pb2.ADVISORY, "the rule is mandatory; its failure is not"
    assert "itself failed on urn:c (KeyError: 'hyperdisk')" in failed.message
    assert verdict.policyName == "sample-object-has-owner"
    assert "in claim_can_grow" in caplog.text, "the traceback is in the log"


@pytest.mark.parametrize("kind", ["fast", "slow"])
def test_a_stack_rule_that_fails_hides_no_other(kind: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(kind)(rules=RULES)
    resources = [of_stack(CLAIM, {}), of_stack(SERVICE, service({"app": "x"}))]

    failed, verdict = made.AnalyzeStack(stack_request(resources), None).diagnostics

    assert (failed.policyName, failed.enforcementLevel) == ("sample-stack-can-grow", analyzer_pb2.ADVISORY)
    assert "itself failed (RuntimeError: no claim was expected)" in failed.message
    assert verdict.policyName == "sample-service-has-pods"


def test_the_failure_of_a_rule_leaks_no_secret_and_is_logged_once(
    fast: MakeServicer, caplog: pytest.LogCaptureFixture
) -> None:
    made = fast(rules=RULES)
    claim = {"kind": "PersistentVolumeClaim", "spec": secret({"storageClassName": "hush-hush"})}

    for _ in range(2):
        response = made.Analyze(request(CLAIM, claim), None)

    assert "KeyError: '[secret]'" in response.diagnostics[0].message
    assert "hush" not in str(response) + caplog.text
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_each_resource_is_decoded_once_and_only_where_a_rule_may_care(
    fast: MakeServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = decoding.resource

    def counting(message: Any, *more: Any, **options: Any) -> Any:
        decoded.append(message.type)
        return real(message, *more, **options)

    monkeypatch.setattr(decoding, "resource", counting)
    made = fast()
    made.Analyze(request(DEPLOYMENT, deployment()), None)
    made.Analyze(request("aws:s3/bucket:Bucket", {}), None)
    assert decoded == [DEPLOYMENT]

    outcome = stack_request([of_stack(SERVICE, service({})), of_stack(DEPLOYMENT, deployment())])
    made.AnalyzeStack(outcome, None)
    assert decoded == [DEPLOYMENT, SERVICE]

    fast({"sample-service-has-pods": "disabled"}).AnalyzeStack(stack_request([of_stack(SERVICE, {})]), None)
    assert decoded == [DEPLOYMENT, SERVICE]


def test_an_outcome_that_is_not_what_was_asked_for_is_what_the_stack_is_judged_by(fast: MakeServicer) -> None:
    asked = deployment()
    asked["spec"]["template"]["metadata"]["labels"] = {"app": "x"}
    made = fast()
    made.Analyze(request(DEPLOYMENT, asked), None)
    others = [of_stack(SERVICE, service({"app": "x"}))]
    assert names(made.AnalyzeStack(stack_request([of_stack(DEPLOYMENT, asked), *others]), None)) == {}

    made.Analyze(request(DEPLOYMENT, asked), None)
    found = names(made.AnalyzeStack(stack_request([of_stack(DEPLOYMENT, deployment()), *others]), None))
    assert "sample-service-has-pods" in found


@pytest.mark.parametrize("collects", [True, False])
def test_the_garbage_collector_is_left_as_it_was(
    collects: bool, fast: MakeServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    during: list[bool] = []
    real = decoding.resource

    def watching(message: Any, *more: Any, **options: Any) -> Any:
        during.append(gc.isenabled())
        return real(message, *more, **options)

    monkeypatch.setattr(decoding, "resource", watching)
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        fast().AnalyzeStack(stack_request([of_stack(SERVICE, service({}))]), None)
        assert (during, gc.isenabled()) == ([False], collects)
    finally:
        (gc.enable if before else gc.disable)()


def test_what_was_read_is_kept_from_the_collector_until_the_stack_is_judged(fast: MakeServicer) -> None:
    made = fast()
    before = gc.get_freeze_count()
    made.Analyze(request(DEPLOYMENT, deployment()), None)
    assert gc.get_freeze_count() > before
    made.AnalyzeStack(stack_request([of_stack(DEPLOYMENT, deployment())]), None)
    assert gc.get_freeze_count() == 0
