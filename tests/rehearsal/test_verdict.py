"""Policy packs are asked as the engine asks them, in this process or in one of their own."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from inference.problems import ProblemsError
from rehearsal import digests, packs, verdict
from rehearsal.plan import Plan
from rehearsal.verdict import Finding
from tests.rehearsal.conftest import Throwaway

SOURCE = """
key = pulumi.Config("house").require_secret("key")
box = Box("box", {"size": 3}, O(providers=[cloud]))
net = gcp.compute.Network("net", opts=O(parent=box, protect=True, custom_timeouts=pulumi.CustomTimeouts(create="1m")))
gcp.compute.Subnetwork("sub", network=net.id, ip_cidr_range="10.0.0.0/20", description=key, opts=O(parent=box))
"""


@pytest.fixture
def plan(project: Throwaway) -> Plan:
    return project.run(SOURCE, config={"house:key": "hunter2-hunter2"}, secret_keys=frozenset({"house:key"}))


class Recorder:
    """A pack that keeps what it is asked and answers with what it is given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.asked: dict[str, Any] = {}
        self.stack: Any = None

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked[request.urn] = request
        found = self.answers if request.type == "gcp:compute/subnetwork:Subnetwork" else ()
        return analyzer_pb2.AnalyzeResponse(diagnostics=found)

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.stack = request
        return analyzer_pb2.AnalyzeResponse()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        policy = analyzer_pb2.PolicyInfo(name="sub-is-big", remediation_steps="Make it bigger.")
        return analyzer_pb2.AnalyzerInfo(name="recorder", policies=[policy])


def one(plan: Plan, name: str) -> str:
    return next(state.urn for state in plan if state.name == name)


def test_policies_see_inputs_options_and_the_provider(plan: Plan) -> None:
    recorder = Recorder()
    verdict.judge(plan, recorder)
    request = recorder.asked[one(plan, "net")]

    assert request.type == "gcp:compute/network:Network"
    assert request.name == "net"
    assert "name" in request.properties.fields, "a made-up name is there when policies look"
    assert "__defaults" not in request.properties.fields
    assert "selfLink" not in request.properties.fields, "outputs are not"
    assert request.options.protect
    assert request.options.customTimeouts.create == 60
    assert request.options.parent == one(plan, "box")
    assert request.provider.urn == one(plan, "cloud")
    assert request.provider.properties.fields["project"].string_value == "my-project"


def test_policies_see_components_and_the_stack_too(plan: Plan) -> None:
    recorder = Recorder()
    verdict.judge(plan, recorder)

    assert set(recorder.asked) == {state.urn for state in plan}
    assert recorder.asked[one(plan, "box")].properties.fields["size"].number_value == 3


def test_stack_policies_see_outputs_and_how_resources_hang_together(plan: Plan) -> None:
    recorder = Recorder()
    verdict.judge(plan, recorder)
    (sub,) = [entry for entry in recorder.stack.resources if entry.name == "sub"]

    assert "selfLink" in sub.properties.fields
    assert list(sub.dependencies) == [one(plan, "net")]
    assert list(sub.propertyDependencies["network"].urns) == [one(plan, "net")]
    assert "ipCidrRange" not in sub.propertyDependencies
    assert sub.parent == one(plan, "box")


def test_a_plan_that_was_read_is_judged_like_one_that_was_made(plan: Plan) -> None:
    made, read = Recorder(), Recorder()
    verdict.judge(plan, made)
    verdict.judge(digests.loads(digests.dumps(plan), "plan.json"), read)
    urn = one(plan, "net")

    assert read.asked[urn].properties == made.asked[urn].properties
    assert read.asked[urn].options == made.asked[urn].options
    assert read.asked[urn].provider == made.asked[urn].provider


def test_a_finding_is_whole_and_keeps_secrets(plan: Plan) -> None:
    diagnostic = analyzer_pb2.AnalyzeDiagnostic(
        policyName="sub-is-big",
        policyPackName="recorder",
        description="Subnets are big.",
        message="Subnets are big.\nThe subnet hunter2-hunter2 is small.",
        enforcementLevel=analyzer_pb2.MANDATORY,
        severity=analyzer_pb2.POLICY_SEVERITY_HIGH,
    )

    judged = verdict.judge(plan, Recorder(diagnostic))

    assert judged.violated
    assert judged.policies == 1
    assert judged.findings == (
        Finding(
            policy="sub-is-big",
            pack="recorder",
            level="mandatory",
            severity="high",
            urn=one(plan, "sub"),
            message="The subnet [secret] is small.",
            description="Subnets are big.",
            remedy="Make it bigger.",
        ),
    )


PACK = """
    from pulumi_policy import *

    def small(args, report):
        if args.resource_type == "gcp:compute/subnetwork:Subnetwork":
            limit = args.get_config()["limit"]
            if int(args.props["ipCidrRange"].split("/")[1]) > limit:
                report(f"The subnet must be /{limit:.0f} or larger; it is {args.props['ipCidrRange']}.")

    def few(args, report):
        if len(args.resources) > 3:
            report("too many resources", args.resources[0].urn)

    PolicyPack("strangers", policies=[
        ResourceValidationPolicy("subnet-is-big", "Subnets are big.", small, EnforcementLevel.MANDATORY,
            PolicyConfigSchema({"limit": {"type": "number", "default": 16}})),
        StackValidationPolicy("stack-is-small", "Stacks are small.", few),
    ])
"""


def pack(folder: Path, source: str, runtime: str = "python") -> Path:
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text(f"runtime: {runtime}\n", encoding="utf-8")
    (folder / "__main__.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return folder


def test_a_foreign_pack_judges_in_a_process_of_its_own(plan: Plan, tmp_path: Path) -> None:
    judged = packs.judge_with(pack(tmp_path / "strangers", PACK), plan, "house", "dev")

    assert {(found.policy, found.level) for found in judged.findings} == {
        ("subnet-is-big", "mandatory"),
        ("stack-is-small", "advisory"),
    }
    assert judged.policies == 2
    assert any("/16 or larger; it is 10.0.0.0/20" in found.message for found in judged.findings)


BROKEN = {
    "ends at once": ("raise SystemExit(3)", ["ended with status 3"]),
    "cannot be imported": ("import nowhere_to_be_found", ["ModuleNotFoundError", "nowhere_to_be_found"]),
    "tells no port": ("print('hello'); import time; time.sleep(60)", ["told no port"]),
    "breaks in a policy": (
        PACK.replace(
            'if args.resource_type == "gcp', 'raise RuntimeError("boom")\n        if args.resource_type == "gcp'
        ),
        ["broke down", "boom"],
    ),
}


@pytest.mark.parametrize(("source", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_pack_that_fails_is_explained_and_gone(plan: Plan, tmp_path: Path, source: str, expected: list[str]) -> None:
    started = time.monotonic()
    with pytest.raises(ProblemsError) as caught:
        packs.judge_with(pack(tmp_path / "broken", source), plan, "house", "dev")

    assert time.monotonic() - started < 30
    for part in expected:
        assert part in str(caught.value)


def test_a_folder_without_pack_is_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match=r"no PulumiPolicy\.yaml there"):
        packs.judge_with(tmp_path, plan, "house", "dev")


def test_a_pack_in_another_language_is_left_to_the_cli(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="its runtime is 'nodejs'") as caught:
        packs.judge_with(pack(tmp_path / "node", "", "nodejs"), plan, "house", "dev")

    assert "pulumi preview --policy-pack" in str(caught.value)
