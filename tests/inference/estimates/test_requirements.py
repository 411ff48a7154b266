"""APIs, permissions, machines, versions and profiles that a program needs of its project."""

from __future__ import annotations

import pytest

from inference.estimates import capacity, requirements
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props
from rehearsal import resources
from tests.support.rehearsed import rehearsed, standing


@pytest.fixture(params=[False, True], ids=["known", "preview"])
def prod(request: pytest.FixtureRequest) -> Stack:
    """The production stack, and as a first preview of it has it: without the outputs of anything."""
    return resources.stack(rehearsed(standing("prod"), preview=request.param))


def test_apis_come_from_resources_and_from_what_the_program_turns_on(prod: Stack) -> None:
    found = {api.name: api.enabled_here for api in requirements.apis(prod)}
    assert found["container.googleapis.com"] is True
    assert found["networkservices.googleapis.com"] is True
    assert found["serviceusage.googleapis.com"] is False, "it has to be on before the program can turn on others"
    assert found["storage.googleapis.com"] is False, "the bucket's binding needs it, and nobody turns it on"


def test_permissions_name_the_role_that_gives_them(prod: Stack) -> None:
    found = {permission.name: permission.role for permission in requirements.permissions(prod)}
    assert found["container.clusters.create"] == "roles/container.admin"
    assert found["compute.networks.create"] == "roles/compute.networkAdmin"
    assert found["compute.firewalls.create"] == "roles/compute.securityAdmin"
    assert found["iam.serviceAccounts.actAs"] == "roles/iam.serviceAccountUser"
    assert found["resourcemanager.projects.setIamPolicy"] == "roles/resourcemanager.projectIamAdmin"
    assert {permission.project for permission in requirements.permissions(prod)} == {"my-project-prod"}


def test_machines_stand_in_the_zones_of_their_pools(prod: Stack) -> None:
    found = {(m.machine_type, m.zone, m.accelerator) for m in requirements.machines(prod)}
    assert ("a3-ultragpu-8g", "us-central1-b", None) in found, "its GPUs come with it"


def test_the_gpu_beside_an_n1_is_asked_for_too() -> None:
    dev = resources.stack(rehearsed(standing("dev")))
    assert "nvidia-tesla-t4" in {machine.accelerator for machine in requirements.machines(dev)}


def test_versions_and_profiles_are_those_of_the_program(prod: Stack) -> None:
    (version,) = requirements.versions(prod)
    assert (version.location, version.channel, version.version) == ("us-central1", "REGULAR", "1.35")
    assert [profile.name for profile in requirements.profiles(prod)] == ["us-central1-b-vpc-roce"]


def test_a_preview_knows_the_needs_of_the_pools_already(prod: Stack) -> None:
    (row,) = capacity.accelerators(prod)
    assert (row.kind, row.mode, row.least, row.most) == ("nvidia-h200-141gb", "reservation", 16, 32)


def test_whoever_adds_a_pool_alone_hands_out_its_service_account_too() -> None:
    pool = Resource("gcp:container/nodePool:NodePool", "pool", "urn:pool", Props({"project": "house"}))
    found = {permission.name: permission.role for permission in requirements.permissions(Stack([pool]))}
    assert found["iam.serviceAccounts.actAs"] == "roles/iam.serviceAccountUser"
    assert "container.clusters.create" not in found


def test_a_pool_that_streams_images_needs_the_api_that_serves_them() -> None:
    config = {"gcfsConfig": {"enabled": True}}
    pool = Resource(
        "gcp:container/nodePool:NodePool", "pool", "urn:pool", Props({"project": "house", "nodeConfig": config})
    )
    found = {(api.project, api.name) for api in requirements.apis(Stack([pool]))}
    assert ("house", "containerfilesystem.googleapis.com") in found
