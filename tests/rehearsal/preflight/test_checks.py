"""The comparisons: what is there is ok, what is missing is named with its remedy, and silence is not an answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from inference.estimates.capacity import Need
from inference.estimates.reservations import Consumer, Reservation
from inference.facts import quotas
from inference.rules.views.stack import Stack
from rehearsal import resources
from rehearsal.preflight import checks, limits, running, writing
from rehearsal.preflight.checks import Answer, Check
from rehearsal.preflight.questions import Channel, Limit, QuotaRow, ServerVersions
from tests.rehearsal.preflight.conftest import FakeCloud
from tests.support.rehearsed import rehearsed
from tests.support.stacks import ROOT

NOTHING = Stack(())


def wrong(stack: Stack, cloud: FakeCloud, before: Stack = NOTHING) -> list[Check]:
    return [c for c in running.compare("prod", stack, before, cloud).checks if c.answer is Answer.WRONG]


def test_a_project_with_everything_is_fine(prod: Stack, cloud: FakeCloud) -> None:
    found = running.compare("prod", prod, NOTHING, cloud)
    assert {check.answer for check in found.checks} == {Answer.OK}
    assert {check.topic for check in found.checks} == {
        "api", "permission", "version", "network profile", "machine", "reservation", "quota",
    }  # fmt: skip
    assert running.status(found) == 0


def test_every_list_is_asked_for_once(prod: Stack, cloud: FakeCloud) -> None:
    running.compare("prod", prod, NOTHING, cloud)
    assert len(cloud.asked) == len(set(cloud.asked))
    assert ("region_quotas", "my-project-prod", "us-central1") in cloud.asked


@pytest.mark.parametrize(
    ("spoil", "said", "repair"),
    [
        (lambda c: c.reservations.clear(), "no reservation of this name", "reservations create h200-inference"),
        (lambda c: c.reserve(count=3), "3 machines are free and up to 4 are needed", "--vm-count=4"),
        (lambda c: c.reserve(in_use=3), "1 machines are free and up to 4", "--vm-count=4"),
        (lambda c: c.reserve(machine_type="a3-megagpu-8g"), "it holds a3-megagpu-8g and the pool", ""),
        (lambda c: c.reserve(accelerators={"nvidia-b200": 8}), "it holds 8 x nvidia-b200", ""),
        (lambda c: c.reserve(specific_only=False), "specificReservationRequired is off", ""),
        (lambda c: c.reserve(status="CREATING"), "it is CREATING", ""),
        (lambda c: c.missing.add("a3-ultragpu-8g"), "does not offer it", "machine-types list"),
        (lambda c: c.missing.add("us-central1-b-vpc-roce"), "no such profile", "network-profiles list"),
        (lambda c: c.denied.add("container.clusters.create"), "lacks container.clusters.create", "roles/container.adm"),
        (lambda c: c.off.add("serviceusage.googleapis.com"), "does not turn it on", "services enable serviceusage"),
    ],
)
def test_one_thing_that_is_missing_is_the_only_thing_found(
    prod: Stack, cloud: FakeCloud, spoil: Callable[[FakeCloud], None], said: str, repair: str
) -> None:
    spoil(cloud)
    (found,) = wrong(prod, cloud)
    assert said in found.detail
    assert repair in found.repair
    assert running.status(running.compare("prod", prod, NOTHING, cloud)) == 2


def test_a_permission_that_the_account_of_the_nodes_may_grant_is_not_called_missing(
    prod: Stack, cloud: FakeCloud
) -> None:
    cloud.denied.add("iam.serviceAccounts.actAs")
    assert [check.subject for check in wrong(prod, cloud)] == ["roles/iam.serviceAccountUser"], "it makes the account"
    standing_account = Stack(r for r in prod.resources if r.type != "gcp:serviceaccount/account:Account")
    assert wrong(standing_account, cloud) == []
    found = running.compare("prod", standing_account, NOTHING, cloud).checks
    (unsettled,) = [check for check in found if check.answer is Answer.UNKNOWN]
    assert "may grant it by itself" in unsettled.detail


def test_an_api_that_the_program_turns_on_may_be_off(prod: Stack, cloud: FakeCloud) -> None:
    cloud.off.add("container.googleapis.com")
    assert not wrong(prod, cloud)


def test_a_reservation_whose_gpus_come_with_the_machine_matches(prod: Stack, cloud: FakeCloud) -> None:
    cloud.reserve(accelerators={}, local_ssds=0)
    assert not wrong(prod, cloud)


def test_a_reservation_is_asked_for_with_the_gpus_beside_its_machines(cloud: FakeCloud) -> None:
    pool = Consumer(
        what="the pool", machine_type="n1-standard-8", accelerator="nvidia-tesla-t4", gpus=2, local_ssds=0,
        zones=("us-central1-a",), least=0, most=3,
    )  # fmt: skip
    wanted = Reservation(name="t4", project="p", shared=False, declared=False, consumers=(pool,))
    (found,) = checks.reservation(cloud, wanted, 0)
    assert found.repair == (
        "gcloud compute reservations create t4 --project=p --zone=us-central1-a --machine-type=n1-standard-8 "
        "--vm-count=3 --require-specific-reservation --accelerator=count=2,type=nvidia-tesla-t4"
    )


def test_a_reservation_of_whole_groups_is_not_judged(prod: Stack, cloud: FakeCloud) -> None:
    cloud.reserve(machine_type=None, accelerators={})
    found = [c for c in running.compare("prod", prod, NOTHING, cloud).checks if c.topic == "reservation"]
    assert {check.answer for check in found} == {Answer.UNKNOWN, Answer.OK}


def test_machines_that_the_stack_itself_uses_are_free_for_it(prod: Stack, cloud: FakeCloud) -> None:
    cloud.reserve(in_use=4)
    assert len(wrong(prod, cloud)) == 1
    assert not wrong(prod, cloud, before=prod)


def quota_of(found: running.Preflight, name: str) -> Check:
    (check,) = [check for check in found.checks if check.topic == "quota" and check.subject.startswith(name)]
    return check


def test_a_limit_below_the_need_is_found_with_the_request_to_make(dev: Stack, cloud: FakeCloud) -> None:
    cloud.region["NVIDIA_T4_GPUS"] = Limit(1, 0)
    (found,) = wrong(dev, cloud)
    assert found.detail == "limit 1, and the stack needs 0 to 3 GPUs: growth ends there"
    assert "--quota-id=NVIDIA-T4-GPUS-per-project-region --preferred-value=3" in found.repair
    assert "--dimensions=region=us-central1" in found.repair


def test_a_limit_below_the_smallest_size_refuses_the_first_nodes(dev: Stack, cloud: FakeCloud) -> None:
    cloud.region["CPUS"] = Limit(2, 0)
    assert "the first nodes are refused" in wrong(dev, cloud)[0].detail


def test_what_others_use_is_taken_off_and_what_the_stack_uses_is_not(dev: Stack, cloud: FakeCloud) -> None:
    cloud.region["NVIDIA_T4_GPUS"] = Limit(4, 2)
    (found,) = wrong(dev, cloud)
    assert "2 in use" in found.detail
    assert "--baseline" in found.detail
    assert not wrong(dev, cloud, before=dev)


def test_an_upgrade_that_has_no_room_is_found(dev: Stack, cloud: FakeCloud) -> None:
    cloud.region["CPUS"] = Limit(24, 0)
    (found,) = wrong(dev, cloud)
    assert "an upgrade takes 28" in found.detail


H200 = "GPUS-PER-GPU-FAMILY-per-project-region"


@pytest.fixture
def spot() -> Stack:
    return resources.stack(rehearsed(ROOT / "examples" / "g4.yaml"))


SPOT, FAMILY = "PREEMPTIBLE_NVIDIA_RTX_PRO_6000_GPUS", {"gpu_family": "NVIDIA_RTX_PRO_6000"}


def test_without_preemptible_quota_the_standard_one_is_what_counts(spot: Stack, cloud: FakeCloud) -> None:
    cloud.region[SPOT] = Limit(0, 0)
    cloud.rows[H200] = [QuotaRow({}, 0), QuotaRow(FAMILY, 2), QuotaRow({**FAMILY, "region": "us-central1"}, 8)]
    found = quota_of(running.compare("g4", spot, NOTHING, cloud), SPOT)
    assert found.answer is Answer.OK
    assert "limit 8" in found.detail
    assert "what is in use is not told" in found.detail
    assert "so GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_RTX_PRO_6000 is taken" in found.detail


def test_a_name_that_is_assumed_and_not_listed_is_no_reason_to_take_the_standard_quota(cloud: FakeCloud) -> None:
    cloud.region = {}
    standard, preemptible = quotas.gpus("nvidia-gb200"), quotas.gpus("nvidia-gb200", preemptible=True)
    assert standard is not None
    assert preemptible is not None
    assert preemptible.assumed
    cloud.region = {}
    cloud.rows[standard.id] = [QuotaRow({}, 0), QuotaRow({"gpu_family": "NVIDIA_GB200"}, 8)]
    need = Need(project="p", region="us-central1", quota=preemptible, instead=standard, uses=())
    found = limits.quota(limits.Limits(cloud), need, 0)
    assert found.answer is Answer.UNKNOWN
    assert found.detail == f"the project lists no quota {preemptible.id}, a name that is assumed"


def test_a_family_that_is_assumed_is_not_read_off_the_row_of_all_others(cloud: FakeCloud) -> None:
    wanted = quotas.gpus("nvidia-gb300")
    assert wanted is not None
    assert wanted.assumed
    cloud.rows[wanted.id] = [QuotaRow({}, 9), QuotaRow({"gpu_family": "NVIDIA_H200"}, 8)]
    need = Need(project="p", region="us-central1", quota=wanted, instead=None, uses=())
    found = limits.quota(limits.Limits(cloud), need, 0)
    assert found.answer is Answer.UNKNOWN
    assert "no row with gpu_family=NVIDIA_GB300, a name that is assumed; it has NVIDIA_H200" in found.detail


@pytest.mark.parametrize(
    ("rows", "limit"),
    [
        ([QuotaRow({}, 0), QuotaRow({"region": "us-central1"}, 0)], 0),
        ([QuotaRow({}, 0), QuotaRow(FAMILY, 2)], 2),
        ([QuotaRow({}, 9), QuotaRow({**FAMILY, "region": "europe-west4"}, 8)], 9),
        ([QuotaRow({}, 9), QuotaRow({**FAMILY, "region": "us-central1"}, 1)], 1),
    ],
)
def test_the_most_specific_row_is_the_limit(spot: Stack, cloud: FakeCloud, rows: list[QuotaRow], limit: int) -> None:
    cloud.region[SPOT] = Limit(0, 0)
    cloud.rows[H200] = rows
    found = quota_of(running.compare("g4", spot, NOTHING, cloud), SPOT)
    assert f"limit {limit}," in found.detail
    assert found.answer is (Answer.OK if limit >= 4 else Answer.WRONG)


def test_no_limit_is_enough(dev: Stack, cloud: FakeCloud) -> None:
    cloud.region["NVIDIA_T4_GPUS"] = Limit(-1, 0)
    assert quota_of(running.compare("dev", dev, NOTHING, cloud), "NVIDIA_T4").detail == "no limit"


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (("1.35.2-gke.100",), Answer.OK),
        (("1.35",), Answer.OK),
        (("1.34.9-gke.5", "1.350.1"), Answer.WRONG),
        ((), Answer.WRONG),
    ],
)
def test_a_version_is_offered_by_its_channel_or_not(
    prod: Stack, cloud: FakeCloud, offered: tuple[str, ...], answer: Answer
) -> None:
    cloud.offered = ServerVersions({"REGULAR": Channel("1.34.9-gke.5", offered)}, ("1.35.2-gke.100",))
    found = running.compare("prod", prod, NOTHING, cloud)
    assert [check.answer for check in found.checks if check.topic == "version"] == [answer]


QUESTIONS = (
    "region_quotas", "project_quotas", "reservation", "offers_machine", "offers_profile", "enabled", "granted",
    "versions",
)  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_without_an_answer_is_neither_ok_nor_wrong(prod: Stack, cloud: FakeCloud, question: str) -> None:
    cloud.broken[question] = "Required 'compute.things.get' permission"
    found = running.compare("prod", prod, NOTHING, cloud)
    mute = [check for check in found.checks if check.answer is Answer.UNKNOWN]
    assert mute
    assert {check.detail for check in mute} == {"Required 'compute.things.get' permission"}
    assert not found.count(Answer.WRONG)
    assert running.status(found) == 3
    assert writing.write(found, "text").splitlines()[-1].startswith("Unknown – ")
    assert json.loads(writing.write(found, "json"))["verdict"] == "unknown"


def test_a_preflight_without_a_single_answer_did_not_run(prod: Stack, cloud: FakeCloud) -> None:
    cloud.broken = dict.fromkeys((*QUESTIONS, "quota_rows", "offers_accelerator", "has_block"), "no connection")
    found = running.compare("prod", prod, NOTHING, cloud)
    assert found.mute
    assert running.status(found) == 1
    assert "0 ok, 0 wrong" in writing.write(found, "text")


def test_the_text_shows_what_is_wrong_first_and_how_to_mend_it(prod: Stack, cloud: FakeCloud) -> None:
    cloud.missing.add("a3-ultragpu-8g")
    lines = writing.write(running.compare("prod", prod, NOTHING, cloud), "text").splitlines()
    machines = [line for line in lines if "machine:" in line or "do: gcloud compute machine-types" in line]
    assert machines[0].lstrip().startswith("WRONG")
    assert "gcloud compute machine-types list" in machines[1]
    assert lines[-1].startswith("Not ready – ")
    assert lines[-1].endswith("1 wrong, 0 could not be asked")


def test_the_json_holds_every_check(prod: Stack, cloud: FakeCloud) -> None:
    found = running.compare("prod", prod, NOTHING, cloud)
    record = json.loads(writing.write(found, "json"))
    assert len(record["checks"]) == len(found.checks) == record["counts"]["ok"]
    assert record["projects"] == ["my-project-prod"]
