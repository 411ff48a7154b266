"""The pack: what each policy tells about itself, its reference page, and the process that the engine starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pulumi_policy
import pytest
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from inference.rules.framework import Rule
from inference.rules.registry import RULES
from policies.pack import policies
from policies.parameters import parameters_of, typed
from policies.reference import reference
from tests.conftest import Golden
from tests.policies.conftest import MakeServicer
from tests.policies.samples import DEPLOYMENT, SOUND, deployment, image_is_pinned, pool_is_small, request
from tests.support.stacks import ROOT


def test_each_rule_is_a_policy_of_its_name_and_kind() -> None:
    made = policies(SOUND)

    assert [policy.name for policy in made] == [rule.name for rule in SOUND]
    assert [isinstance(policy, pulumi_policy.StackValidationPolicy) for policy in made] == [
        rule.about_stack for rule in SOUND
    ]


def test_a_policy_tells_what_the_rule_knows(fast: MakeServicer) -> None:
    told = {policy.name: policy for policy in fast().GetAnalyzerInfo(Empty(), None).policies}

    limits = told["sample-pool-is-small"]
    assert limits.displayName == "The thing is in order"
    assert limits.description == "The thing is in order. Nothing works."
    assert limits.enforcementLevel == analyzer_pb2.MANDATORY
    assert limits.severity == analyzer_pb2.POLICY_SEVERITY_CRITICAL
    assert limits.policy_type == analyzer_pb2.POLICY_TYPE_RESOURCE
    assert limits.remediation_steps == "Mend it."
    assert limits.url == "https://example.com/fact"
    assert json_format.MessageToDict(limits.configSchema.properties) == {
        "maxNodes": {
            "type": "integer",
            "default": 8,
            "description": "Nodes that a pool may have before somebody must be asked.",
        },
        "maxPrice": {"type": "number", "default": 100.5},
        "spotOnly": {"type": "boolean", "default": False},
        "zones": {"type": "array", "items": {"type": "string"}, "default": ["us-central1-a"]},
    }
    assert list(told["sample-image-is-pinned"].tags) == ["IMG-001", "samples"]
    assert not told["sample-image-is-pinned"].HasField("configSchema")
    assert told["sample-service-has-pods"].policy_type == analyzer_pb2.POLICY_TYPE_STACK
    assert told["sample-token-is-secret"].enforcementLevel == analyzer_pb2.DISABLED


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="sample-image-is-pinned"):
        policies((image_is_pinned, pool_is_small, image_is_pinned))


@dataclass(frozen=True)
class OddParameters:
    sizes: dict[str, int]


@dataclass(frozen=True)
class RequiredParameters:
    size: int


@pytest.mark.parametrize(
    ("parameters", "said"), [(OddParameters, "sizes is a dict"), (RequiredParameters, "size has no default")]
)
def test_a_parameter_that_no_configuration_can_express_is_refused(parameters: type[Any], said: str) -> None:
    with pytest.raises(TypeError, match=f"rule sample-pool-is-small: parameter {said}"):
        policies((replace(pool_is_small, parameters=parameters),))


def test_whole_numbers_reach_a_rule_as_such() -> None:
    limits = pool_is_small.configured(typed(pool_is_small, {"maxNodes": 4.0, "maxPrice": 2.0, "zones": ["a"]}))

    assert repr(limits) == "PoolLimits(max_nodes=4, max_price=2.0, spot_only=False, zones=('a',))"


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.parameters], ids=lambda rule: rule.name)
def test_every_parameter_can_be_set_by_the_name_that_the_configuration_offers(rule: Rule) -> None:
    defaults = {parameter.name: parameter.default for parameter in parameters_of(rule)}

    assert rule.configured(defaults) == rule.configured({})


def test_the_version_is_that_of_the_pack(fast: MakeServicer) -> None:
    assert fast().GetAnalyzerInfo(Empty(), None).version == "0.1.0"


def test_the_reference_page_says_all_about_a_rule() -> None:
    page = reference(SOUND)

    assert "## samples" in page
    assert "A small pack of rules, and requests as the engine sends them." in page
    assert "| [sample-pool-is-small](#sample-pool-is-small) | The thing is in order | critical | mandatory |" in page
    expected = """\
### sample-pool-is-small

**The thing is in order.**

- What breaks: Nothing works.
- What to do: Mend it.
- Judges each resource; severity critical, mandatory.
- Source: <https://example.com/fact>

| Parameter | Value | Default | Meaning |
| --- | --- | --- | --- |
| `maxNodes` | a whole number | `8` | Nodes that a pool may have before somebody must be asked. |
"""
    assert expected in page
    assert "- Covers: IMG-001" in page
    assert "- Judges the stack; severity medium, mandatory." in page


def test_the_reference_page_is_fresh(golden: Golden) -> None:
    golden(ROOT / "docs" / "policies.md", reference(RULES))


WITH_SAMPLES = """
import sys
sys.path.insert(0, {root!r})
import inference.rules.registry
from tests.policies.samples import RULES
inference.rules.registry.RULES = RULES
sys.argv = ["pulumi.policy", "127.0.0.1:1", {pack!r}]
import runpy
runpy.run_module("pulumi.policy", run_name="__main__")
"""
"""What the engine does, ``python -u -m pulumi.policy <engine> <pack>``, with the sample rules for the real ones."""


@contextmanager
def running(command: list[str]) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    process = subprocess.Popen(  # noqa: S603 - the interpreter of the tests and our own pack
        [sys.executable, "-u", *command],
        cwd=ROOT / "policies",
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit(), f"the first line of a pack is its port, not {port!r}"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        assert process.poll() is None, "the pack serves until it is ended"
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=10)
    assert rest == "", "standard output is the engine's: nothing but the port"


def test_the_pack_process_answers_as_the_engine_starts_it() -> None:
    with running(["-c", WITH_SAMPLES.format(root=str(ROOT), pack=str(ROOT / "policies"))]) as stub:
        info = stub.GetAnalyzerInfo(Empty(), timeout=20)
        found = stub.Analyze(request(DEPLOYMENT, deployment()), timeout=20)
        wrong = analyzer_pb2.ConfigureAnalyzerRequest()
        wrong.policyConfig["sample-pool-is-small"].properties.update({"maxNodes": "many"})
        with pytest.raises(grpc.RpcError, match=r'sample-pool-is-small\.maxNodes — "many" is not a whole number'):
            stub.Configure(wrong, timeout=20)

    assert info.name == "gke-inference"
    assert {policy.name for policy in info.policies} >= {rule.name for rule in SOUND}
    assert [diagnostic.policyName for diagnostic in found.diagnostics] == [
        "sample-image-is-pinned",
        "sample-object-has-owner",
    ]


def test_the_pack_process_serves_the_rules_of_the_house() -> None:
    with running(["-m", "pulumi.policy", "127.0.0.1:1", str(ROOT / "policies")]) as stub:
        info = stub.GetAnalyzerInfo(Empty(), timeout=20)

    assert [policy.name for policy in info.policies] == [rule.name for rule in RULES]
