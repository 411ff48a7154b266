"""Automatic names: from the engine's seed, kept for life, left alone where the program gives one."""

from __future__ import annotations

import importlib
import inspect
import re

import grpc
import pytest

from rehearsal.cloud import gcp
from tests.rehearsal.providers.conftest import NETWORK, Cloud, urn

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
RELEASE = "kubernetes:helm.sh/v3:Release"


def test_a_cloud_resource_is_named_after_itself_and_the_seed(cloud: Cloud) -> None:
    one, same, other = (cloud.gcp.check(urn(NETWORK, "vpc"), {}, seed=seed)["name"] for seed in (b"1", b"1", b"2"))
    assert re.fullmatch(r"vpc-[0-9a-f]{7}", str(one))
    assert one == same != other


def test_an_automatic_name_stays_as_long_as_the_resource(cloud: Cloud) -> None:
    old = cloud.gcp.check(urn(NETWORK), {}, seed=b"1")
    assert cloud.gcp.check(urn(NETWORK), {"mtu": 8896}, old, seed=b"2")["name"] == old["name"]


def test_a_resource_that_loses_its_given_name_gets_an_automatic_one(cloud: Cloud) -> None:
    assert cloud.gcp.check(urn(NETWORK), {}, {"name": "given"})["name"] != "given"


def test_a_given_name_is_left_alone(cloud: Cloud) -> None:
    assert cloud.gcp.check(urn(NETWORK), {"name": "mine"}) == {"name": "mine"}


def test_an_object_is_named_in_its_metadata_and_marked(cloud: Cloud) -> None:
    metadata = cloud.kubernetes.check(urn(CONFIG_MAP, "settings"), {"metadata": {"labels": {"a": "b"}}})["metadata"]
    assert isinstance(metadata, dict)
    assert re.fullmatch(r"settings-[0-9a-f]{8}", metadata["name"])
    assert metadata["annotations"] == {"pulumi.com/autonamed": "true"}
    assert metadata["labels"] == {"a": "b"}


def test_an_automatic_name_of_an_object_stays_too(cloud: Cloud) -> None:
    old = cloud.kubernetes.check(urn(CONFIG_MAP), {}, seed=b"1")
    new = cloud.kubernetes.check(urn(CONFIG_MAP), {"metadata": {"annotations": {"a": "b"}}}, old, seed=b"2")
    metadata, before = new["metadata"], old["metadata"]
    assert isinstance(metadata, dict)
    assert isinstance(before, dict)
    assert metadata["name"] == before["name"]
    assert metadata["annotations"] == {"a": "b", "pulumi.com/autonamed": "true"}


def test_a_release_keeps_its_automatic_name(cloud: Cloud) -> None:
    old = cloud.kubernetes.check(urn(RELEASE), {"chart": "lws"}, seed=b"1")
    new = cloud.kubernetes.check(urn(RELEASE), {"chart": "lws", "version": "2"}, old, seed=b"2")
    assert new["name"] == old["name"]
    assert new["namespace"] == "default"


@pytest.mark.parametrize(("package", "token"), [("gcp", NETWORK), ("kubernetes", CONFIG_MAP)])
def test_the_name_that_the_engine_proposes_is_taken(cloud: Cloud, package: str, token: str) -> None:
    checked = getattr(cloud, package).check(urn(token), {}, proposed="proposed")
    assert "proposed" in (checked.get("name"), checked.get("metadata", {}).get("name"))


@pytest.mark.parametrize(("package", "token"), [("gcp", NETWORK), ("kubernetes", CONFIG_MAP)])
def test_where_automatic_names_are_switched_off_a_nameless_resource_is_refused(
    cloud: Cloud, package: str, token: str
) -> None:
    with pytest.raises(grpc.RpcError, match="naming"):
        getattr(cloud, package).check(urn(token), {}, disabled=True)


@pytest.mark.parametrize("kind", sorted(gcp._KINDS))
def test_the_arguments_read_from_the_source_of_the_sdk_are_those_of_its_classes(kind: str) -> None:
    module, _, name = kind.rpartition(":")
    package = importlib.import_module(f"pulumi_gcp.{module.partition('/')[0].lower()}")
    parameters = dict(inspect.signature(getattr(package, f"{name}Args").__init__).parameters)
    del parameters["__self__"]
    expected = {key: value.default is not inspect.Parameter.empty for key, value in parameters.items()}
    assert gcp._arguments(f"gcp:{kind}") == expected
