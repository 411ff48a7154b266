"""The version table, the objects and the definitions speak of the same releases, or of those that are known to differ."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from inference.facts import controllers, gke, versions
from inference.facts.versions import COMPONENTS, GATEWAY_API_BUNDLED, MATCHES, GkeVersion
from inference.settings.cluster import ClusterSettings
from tests.support.definitions import ABSENT, KUBERNETES, definition, definitions, definitions_folder, releases
from tests.support.stackobjects import STACKS, custom

published = pytest.mark.skipif(definitions_folder() is None, reason=ABSENT)

CLUSTER = ClusterSettings.model_fields["version"].default
"""Kubernetes version of a cluster whose stack file names none."""


def gateway_api() -> str:
    """Return the Gateway API that GKE brings to such a cluster at the latest of its builds."""
    fitting = {api for build, api in GATEWAY_API_BUNDLED.items() if GkeVersion.parse(build) < next_minor()}
    return max(fitting, key=lambda api: [int(part) for part in api.split(".")])


def next_minor() -> GkeVersion:
    version = GkeVersion.parse(CLUSTER)
    return GkeVersion(version.major, version.minor + 1)


TABLE = {
    "gateway.networking.k8s.io": gateway_api(),
    "jobset.x-k8s.io": COMPONENTS["jobset"].version,
    "keda.sh": COMPONENTS["keda"].version,
    "kueue.x-k8s.io": COMPONENTS["kueue"].version,
    "leaderworkerset.x-k8s.io": COMPONENTS["lws"].version,
    "llm-d.ai": COMPONENTS["endpoint-picker"].version,
    "resource.nvidia.com": COMPONENTS["nvidia-dra-driver-ngc"].version,
    "serving.kserve.io": COMPONENTS["kserve-llmisvc-crd"].version,
}
"""Release by API group, as our table has it."""

UNVERSIONED = {
    "cloud.google.com": "comes with GKE; published as a page",
    "inference.networking.k8s.io": "comes with GKE, which does not say at which release",
    "monitoring.googleapis.com": "comes with GKE's managed collection",
    "networking.gke.io": "comes with GKE",
}
"""Groups whose release nobody chooses, and why."""

KNOWN = {
    "gateway.networking.k8s.io": ("1.5.0", "1.6.1"),
}
"""Groups whose definitions at hand are not of the table's release: the table's and theirs.

GKE brings the Gateway API, at 1.5 with Kubernetes 1.35 (https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gatewayclass-capabilities,
2026) and at 1.6 with 1.36; the newer rules are the stricter ones.
"""


def of_definitions() -> Iterator[tuple[str, str]]:
    """Yield the release of each group's definitions: as the file says it, else as the folder's table does."""
    for found in definitions().values():
        said = found.release if found.release[:1] == "v" else ""
        listed = re.search(r"\bv[0-9.]+$", releases().get(f"{found.group}/{found.kind}", ""))
        release = said or (listed[0] if listed else "")
        if release:
            yield found.group, release.removeprefix("v")


@published
def test_definitions_are_of_the_release_in_the_version_table() -> None:
    seen = dict(of_definitions())
    differing = {group: (wanted.removeprefix("v"), seen.get(group)) for group, wanted in TABLE.items()}
    assert {group: pair for group, pair in differing.items() if pair[0] != pair[1]} == KNOWN


@published
def test_a_file_and_the_table_beside_it_name_one_release() -> None:
    both = [
        (found.release, releases()[key].rpartition(" ")[2])
        for found in definitions().values()
        if (key := f"{found.group}/{found.kind}") in releases() and found.release[:1] == "v"
    ]
    assert len(both) >= 4
    assert all(said == listed for said, listed in both)


@published
def test_every_group_that_a_stack_uses_is_in_the_version_table_or_unversioned_for_a_reason() -> None:
    used = {manifest["apiVersion"].partition("/")[0] for path in STACKS.values() for manifest in custom(path)}
    assert used <= TABLE.keys() | UNVERSIONED.keys()
    assert UNVERSIONED.keys() <= used
    assert not TABLE.keys() & UNVERSIONED.keys()


@published
def test_objects_are_written_in_the_version_that_is_stored() -> None:
    found = {(m["apiVersion"], m["kind"]): definition(m) for path in STACKS.values() for m in custom(path)}
    assert len(found) >= 12
    assert not [key for key, made in found.items() if made is None or not made.stored]


@published
@pytest.mark.parametrize(
    ("constant", "kind"),
    [
        (controllers.LWS_API, "LeaderWorkerSet"),
        (controllers.KSERVE_API, "LLMInferenceService"),
        (gke.COMPUTE_CLASS_API, "ComputeClass"),
        (gke.COMPUTE_DOMAIN_API, "ComputeDomain"),
    ],
)
def test_the_api_versions_of_the_facts_are_served(constant: str, kind: str) -> None:
    assert (constant, kind) in definitions()


def test_the_pool_that_the_pickers_are_built_against_is_the_one_that_stacks_make() -> None:
    (pair,) = [match for match in MATCHES if match.b.startswith("InferencePool==")]
    made = {m["apiVersion"] for path in STACKS.values() for m in custom(path) if m["kind"] == "InferencePool"}
    assert made == {pair.b.removeprefix("InferencePool==")}
    assert pair.ok


def test_built_in_kinds_are_checked_against_the_version_that_a_cluster_gets() -> None:
    assert KUBERNETES == CLUSTER
    assert versions.GKE_MINIMUM["dra"].met_by(CLUSTER)
