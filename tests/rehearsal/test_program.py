"""What the rehearsal keeps of a program, and how it answers it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from inference.facts.wire import UNKNOWN
from inference.problems import ProblemsError
from rehearsal.errors import ProgramError
from rehearsal.plan import Plan, ResourceState, Timeouts
from rehearsal.values import Secret
from tests.rehearsal.conftest import Throwaway
from tests.support.stacks import ROOT

Named = Callable[[Plan, str], ResourceState]


def test_urns_carry_the_types_of_all_parents_but_the_stack(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        outer = Box("outer")
        inner = Box("inner", opts=O(parent=outer))
        gcp.compute.Network("net", opts=O(parent=inner, provider=cloud))
    """)

    assert named(plan, "net").urn == (
        "urn:pulumi:dev::house::gke-inference:index:Box$gke-inference:index:Box$gcp:compute/network:Network::net"
    )
    assert named(plan, "outer").parent == "urn:pulumi:dev::house::pulumi:pulumi:Stack::house-dev"
    assert named(plan, "cloud").urn == "urn:pulumi:dev::house::pulumi:providers:gcp::cloud"


def test_a_reference_names_the_provider_and_its_id(project: Throwaway, named: Named) -> None:
    plan = project.run('gcp.compute.Network("net", opts=O(provider=cloud))')
    provider = named(plan, "cloud")

    assert named(plan, "net").provider == f"{provider.urn}::{provider.id}"
    assert provider.id


def test_a_component_hands_its_provider_and_protection_down(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        box = Box("box", opts=O(providers=[cloud], protect=True))
        gcp.compute.Network("net", opts=O(parent=box))
    """)

    assert named(plan, "net").provider.startswith(named(plan, "cloud").urn)
    assert named(plan, "net").protect


def test_a_resource_without_provider_gets_the_engines_own(project: Throwaway, named: Named) -> None:
    plan = project.run('gcp.compute.Network("net")', config={"gcp:project": "from-config"})
    net = named(plan, "net")
    (default,) = [state for state in plan if state.name.startswith("default_")]

    assert default.urn.startswith("urn:pulumi:dev::house::pulumi:providers:gcp::default_")
    assert net.provider == f"{default.urn}::{default.id}"
    assert net.outputs["project"] == "from-config"
    assert default.urn not in {step.urn for step in plan.shown}, "previews do not show it"


def test_a_disabled_default_provider_is_refused_as_the_engine_refuses_it(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match="Default provider for 'gcp' disabled"):
        project.run('gcp.compute.Network("net")', config={"pulumi:disable-default-providers": '["gcp"]'})


def test_two_resources_of_one_name_are_refused_as_the_engine_refuses_them(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match=r"^Duplicate resource URN 'urn:pulumi:dev::house::.*Box::twin'; try giving"):
        project.run('Box("twin"); Box("twin")')


def test_dependencies_are_kept_whole_and_by_property(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        net = gcp.compute.Network("net", opts=O(provider=cloud))
        other = gcp.compute.Network("other", opts=O(provider=cloud))
        gcp.compute.Subnetwork("sub", network=net.id, ip_cidr_range="10.0.0.0/20",
                               opts=O(provider=cloud, depends_on=[other]))
    """)
    sub, net, other = (named(plan, name) for name in ("sub", "net", "other"))

    assert set(sub.dependencies) == {net.urn, other.urn}
    assert sub.property_dependencies["network"] == (net.urn,)
    assert sub.property_dependencies["ipCidrRange"] == ()


def test_options_are_kept(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        base = gcp.compute.Network("base", opts=O(provider=cloud))
        gcp.compute.Network("net", opts=O(
            provider=cloud, protect=True, ignore_changes=["mtu"], replace_on_changes=["description"],
            delete_before_replace=False, retain_on_delete=True, deleted_with=base,
            custom_timeouts=pulumi.CustomTimeouts(create="1h30m", delete="90s"),
            aliases=[pulumi.Alias(name="old"), "urn:pulumi:dev::house::a:b:C::c"],
            additional_secret_outputs=["selfLink"]))
    """)
    net, options = named(plan, "net"), named(plan, "net").options

    assert net.protect
    assert options.ignore_changes == ("mtu",)
    assert options.replace_on_changes == ("description",)
    assert options.delete_before_replace is False
    assert named(plan, "base").options.delete_before_replace is None
    assert options.retain_on_delete
    assert options.deleted_with == named(plan, "base").urn
    assert options.timeouts == Timeouts(create=5400.0, delete=90.0)
    assert options.aliases == (net.urn.replace("::net", "::old"), "urn:pulumi:dev::house::a:b:C::c")
    assert isinstance(net.outputs["selfLink"], Secret)


def test_where_a_resource_was_made_is_kept(project: Throwaway, named: Named) -> None:
    project.write(
        {"parts.py": "import pulumi_gcp as gcp\n\ndef net(opts):\n    gcp.compute.Network('net', opts=opts)\n"}
    )
    plan = project.run("from parts import net\nnet(O(provider=cloud))")

    assert named(plan, "net").source_position == "project:///parts.py#4"


def test_a_component_keeps_what_it_registers(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        box = Box("box", {"size": 3})
        box.register_outputs({"answer": 42, "quiet": pulumi.Output.secret("hush")})
        pulumi.export("answer", 42)
    """)

    assert named(plan, "box").inputs == {"size": 3}
    assert named(plan, "box").outputs == {"answer": 42, "quiet": Secret("hush")}
    assert plan.outputs == {"answer": 42}


def test_secrets_stay_marked_from_input_to_output_to_the_next_input(project: Throwaway, named: Named) -> None:
    plan = project.run(
        """
        key = pulumi.Config("house").require_secret("key")
        first = kubernetes.core.v1.Secret("first", string_data={"key": key}, opts=O(provider=objects))
        kubernetes.core.v1.ConfigMap("second", data={"copy": first.string_data["key"]}, opts=O(provider=objects))
        """,
        config={"house:key": "hunter2-hunter2"},
        secret_keys=frozenset({"house:key"}),
    )

    assert named(plan, "second").inputs["data"] == {"copy": Secret("hunter2-hunter2")}
    assert plan.config["house:key"] == "[secret]"


def test_all_values_are_known_so_that_references_can_be_judged(project: Throwaway, named: Named) -> None:
    plan = project.run("""
        cluster = gcp.container.Cluster("main", location="us-central1-a", opts=O(provider=cloud))
        gcp.container.NodePool("pool", cluster=cluster.id, opts=O(provider=cloud))
        kubernetes.core.v1.ConfigMap("facts", opts=O(provider=objects), data={
            "endpoint": cluster.endpoint,
            "dns": cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint,
            "key": cluster.master_auth.client_key,
        })
    """)
    data = named(plan, "facts").inputs["data"]
    assert isinstance(data, dict)

    assert data["dns"].endswith(".us-central1.gke.goog")
    assert isinstance(data["key"], Secret), "the client key is secret from the start"
    assert named(plan, "pool").outputs["location"] == "us-central1-a"


def test_a_preview_knows_no_ids_and_no_computed_outputs(project: Throwaway, named: Named) -> None:
    plan = project.run(
        """
        net = gcp.compute.Network("net", opts=O(provider=cloud))
        gcp.compute.Subnetwork("sub", network=net.id, ip_cidr_range="10.0.0.0/20", description=net.name,
                               opts=O(provider=cloud))
        """,
        preview=True,
    )

    assert named(plan, "sub").inputs["network"] == UNKNOWN
    assert named(plan, "sub").inputs["description"] == named(plan, "net").inputs["name"], "names are known"
    assert named(plan, "net").id == ""


GOOD = """
net = gcp.compute.Network("net", opts=O(provider=cloud))
gcp.compute.Subnetwork("sub", network=net.id, ip_cidr_range="10.0.0.0/20", opts=O(provider=cloud))
"""
BAD = """
net = gcp.compute.Network("net", opts=O(provider=cloud))
net.id.apply(lambda found: gcp.compute.Firewall("born-late", network=found, opts=O(provider=cloud)))
"""


@pytest.mark.parametrize(("source", "same"), [(GOOD, True), (BAD, False)], ids=["composed", "born inside apply"])
def test_preview_and_update_tell_a_resource_born_inside_apply(project: Throwaway, source: str, same: bool) -> None:
    update = {state.urn for state in project.run(source)}
    preview = {state.urn for state in project.run(source, preview=True)}

    assert (update == preview) is same


def test_every_run_gives_the_same_plan(project: Throwaway) -> None:
    source = 'boxes = [Box(f"b{i}", opts=O(providers=[cloud])) for i in range(9)]\n' + "\n".join(
        f'gcp.compute.Network("n{i}", opts=O(parent=boxes[{i}]))' for i in range(9)
    )
    first, second = project.run(source), project.run()

    assert [step.state for step in first.steps] == [step.state for step in second.steps]


def test_a_run_leaves_nothing_behind(project: Throwaway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_PROJECT", "of-the-desk")
    before = (os.getcwd(), list(sys.path), list(sys.argv), os.environ["GOOGLE_PROJECT"])  # noqa: PTH109
    interrupt = signal.getsignal(signal.SIGINT)
    project.write({"parts.py": "x = 1\n"})

    project.run("import parts, signal; signal.signal(signal.SIGINT, signal.SIG_DFL)")

    assert signal.getsignal(signal.SIGINT) is interrupt

    assert (os.getcwd(), sys.path, sys.argv, os.environ["GOOGLE_PROJECT"]) == before  # noqa: PTH109
    assert "parts" not in sys.modules


def test_the_desk_does_not_decide_the_plan(project: Throwaway, named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_PROJECT", "of-the-desk")
    monkeypatch.setenv("PULUMI_CONFIG_HOUSE__SIZE", "9")

    plan = project.run('gcp.Provider("bare")')

    assert "project" not in named(plan, "bare").inputs


def test_two_programs_may_have_modules_of_one_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    for answer in ("first", "second"):
        place = Throwaway(tmp_path_factory.mktemp(answer))
        place.write({"parts.py": f"ANSWER = {answer!r}\n"})
        assert place.run("import parts\npulumi.export('answer', parts.ANSWER)").outputs == {"answer": answer}


def test_another_revision_of_the_house_is_run_with_its_own_modules(project: Throwaway) -> None:
    import inference.problems as ours

    project.write({"inference/__init__.py": "", "inference/problems.py": (ROOT / "inference/problems.py").read_text()})

    with pytest.raises(ProblemsError) as caught:
        project.run("""
            from inference.problems import Problem, ProblemsError
            assert ProblemsError.__init__.__code__.co_filename.endswith("house/inference/problems.py")
            raise ProblemsError("there", [Problem("pools.h200", "what", "why", "remedy")])
        """)

    assert caught.value.problems == (ours.Problem("pools.h200", "what", "why", "remedy"),)
    assert sys.modules["inference.problems"] is ours


def test_what_the_program_says_is_kept(project: Throwaway, named: Named) -> None:
    plan = project.run('box = Box("box")\nprint("on paper")\npulumi.log.warn("mind the gap", box)')

    assert {(entry.severity, entry.message) for entry in plan.diagnostics} == {
        ("info", "on paper"),
        ("warning", "mind the gap"),
    }
    assert named(plan, "box").urn in {entry.urn for entry in plan.diagnostics}


def test_a_bug_is_reported_from_the_programs_own_line_on(project: Throwaway) -> None:
    with pytest.raises(ProgramError) as caught:
        project.run("def broken():\n    return 1 / 0\n\nbroken()")

    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "in broken" in str(caught.value)
    assert "runpy" not in str(caught.value)
    assert "program.py" not in str(caught.value)


def test_a_bug_inside_apply_is_reported_too(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match="KeyError: 'nothing'"):
        project.run('gcp.compute.Network("net", opts=O(provider=cloud)).id.apply(lambda _: {}["nothing"])')


def test_refused_settings_come_through_as_problems(project: Throwaway) -> None:
    with pytest.raises(ProblemsError, match=r"pools\.h200"):
        project.run("""
            from inference.problems import Problem, ProblemsError
            raise ProblemsError("here", [Problem("pools.h200", "what", "why", "remedy")])
        """)


def test_a_program_that_ends_itself_is_reported(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match="ended itself with status 3"):
        project.run("import sys; sys.exit(3)")


def test_a_run_error_is_a_sentence(project: Throwaway) -> None:
    with pytest.raises(ProgramError) as caught:
        project.run('raise pulumi.RunError("set the house in order")')

    assert str(caught.value) == "set the house in order"


def test_a_failure_leaves_the_next_run_alone(project: Throwaway) -> None:
    with pytest.raises(ProgramError):
        project.run('Box("twin"); Box("twin")')

    assert project.run('Box("single")').changes["create"] == 4


def test_hooks_are_accepted(project: Throwaway) -> None:
    plan = project.run("""
        hook = pulumi.ResourceHook("hook", lambda args: None)
        gcp.compute.Network("net", opts=O(provider=cloud, hooks=pulumi.ResourceHookBinding(after_create=[hook])))
    """)

    assert plan.changes["create"] == 4


def test_transforms_that_were_not_run_are_told(project: Throwaway) -> None:
    plan = project.run("""
        gcp.compute.Network("net", opts=O(provider=cloud, transforms=[lambda args: None]))
    """)

    assert any("transforms" in entry.message for entry in plan.diagnostics)


def test_a_resource_that_is_only_read_is_no_creation(project: Throwaway, named: Named) -> None:
    plan = project.run('gcp.compute.Network.get("there", "projects/p/global/networks/n", opts=O(provider=cloud))')

    assert named(plan, "there").external
    assert plan.changes["read"] == 1


def test_another_stacks_outputs_are_not_invented(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match="reads another stack's outputs"):
        project.run('pulumi.StackReference("org/other/dev")')


def test_an_unknown_look_up_says_where_to_add_it(project: Throwaway) -> None:
    with pytest.raises(ProgramError, match=r"gcp:compute/getImage:getImage.*gcp_lookups\.py"):
        project.run('gcp.compute.get_image(family="x", project="y", opts=pulumi.InvokeOptions(provider=cloud))')


@pytest.mark.parametrize("duration", ["soon", "5", "m", "5 minutes"])
def test_a_timeout_that_is_none_is_refused(project: Throwaway, duration: str) -> None:
    with pytest.raises(ProgramError, match="is not a duration"):
        project.run(f'Box("b", opts=O(custom_timeouts=pulumi.CustomTimeouts(create="{duration}")))')


def test_the_order_of_registrations_is_the_same_in_every_run(project: Throwaway) -> None:
    project.program("""
        boxes = [Box(f"box{n}") for n in range(8)]
        nets = [
            gcp.compute.Network(f"net{n}-{m}", opts=O(parent=box, provider=cloud, depends_on=boxes[:n]))
            for n, box in enumerate(boxes) for m in range(n)
        ]
        for n in range(8):
            inner = Box(f"inner{n}", opts=O(depends_on=[nets[-n], *boxes[n:]]))
            gcp.compute.Network(f"late{n}", opts=O(parent=inner, provider=cloud))
    """)
    ballast, orders = [], []
    for run in range(3):
        ballast.append([bytearray(61 * run + size) for size in range(997)])  # so that addresses differ
        orders.append([state.urn for state in project.run()])

    assert orders[0] == orders[1] == orders[2]
