import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts.versions import COMPONENTS, GATEWAY_API_BUNDLED, GKE_MINIMUM, MATCHES, GkeVersion
from inference.facts.vllm import RUNTIME

full = st.builds(GkeVersion, st.just(1), st.integers(20, 40), st.integers(0, 20), st.integers(0, 3_000_000))
any_version = st.builds(
    lambda version, parts: GkeVersion(version.major, version.minor, *(version.patch, version.build)[:parts]),
    full,
    st.integers(0, 2),
)


@given(any_version)
def test_a_version_reads_back_what_it_prints(version: GkeVersion) -> None:
    assert GkeVersion.parse(str(version)) == version


@given(full, full)
def test_full_versions_are_ordered_as_their_numbers(a: GkeVersion, b: GkeVersion) -> None:
    numbers = [(v.major, v.minor, v.patch, v.build) for v in (a, b)]
    assert (a < b) == (numbers[0] < numbers[1])
    assert (a <= b) == (numbers[0] <= numbers[1])
    assert a.at_least(b) is (numbers[0] >= numbers[1])


@given(any_version, full, full)
def test_a_prefix_answers_for_all_that_it_may_stand_for(
    prefix: GkeVersion, detail: GkeVersion, minimum: GkeVersion
) -> None:
    patch = detail.patch if prefix.patch is None else prefix.patch
    build = detail.build if prefix.build is None else prefix.build
    member = GkeVersion(prefix.major, prefix.minor, patch, build)

    answer = prefix.at_least(minimum)

    assert answer is None or answer is member.at_least(minimum)


@given(any_version)
def test_a_prefix_sorts_before_what_it_stands_for(version: GkeVersion) -> None:
    assert GkeVersion(version.major, version.minor) <= version


@pytest.mark.parametrize(
    ("version", "minimum", "answer"),
    [
        ("1.35", "1.34.1-gke.1829001", True),
        ("1.35", "1.35.2-gke.1", None),
        ("1.35", "1.35", True),
        ("1.35", "1.36", False),
        ("1.35.", "1.35.0", True),
        ("1.35.2", "1.35.2-gke.1", None),
        ("1.35.3", "1.35.2-gke.1842000", True),
        ("1.34.1-gke.1829001", "1.34.1-gke.1829001", True),
        ("1.34.1-gke.1829000", "1.34.1-gke.1829001", False),
        ("1.9.0-gke.1", "1.10.0-gke.1", False),
    ],
)
def test_at_least_knows_when_it_does_not_know(version: str, minimum: str, *, answer: bool | None) -> None:
    assert GkeVersion.parse(version).at_least(minimum) is answer


@pytest.mark.parametrize("text", ["", "latest", "1", "1.x", "1.35-gke.1", "1.35.-gke.1", "1.35.2-gke", "1.35.2.3"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 1\.35"):
        GkeVersion.parse(text)


def test_a_minimum_by_minor_counts_within_that_minor() -> None:
    a4x = GKE_MINIMUM["a4x"]  # 1.32.8-gke.1108000, and 1.33.4-gke.1036000 in 1.33

    assert a4x.met_by("1.32.8-gke.1108000") is True
    assert a4x.met_by("1.33.1-gke.1") is False
    assert a4x.met_by("1.33.4-gke.1036000") is True
    assert a4x.met_by("1.33") is None
    assert a4x.met_by("1.34") is True
    assert a4x.met_by("1.31.99-gke.1") is False


@pytest.mark.parametrize("minimum", GKE_MINIMUM.values(), ids=lambda minimum: minimum.feature)
def test_minimums_rise_and_are_met_by_themselves(minimum) -> None:
    assert list(minimum.versions) == sorted(minimum.versions)
    assert len({v.minor for v in minimum.versions}) == len(minimum.versions)
    assert all(minimum.met_by(version) for version in minimum.versions)


def test_gke_brings_newer_gateway_apis_with_newer_versions() -> None:
    rows = [(GkeVersion.parse(gke), api) for gke, api in GATEWAY_API_BUNDLED.items()]
    assert rows == sorted(rows)
    assert [api for _, api in rows] == sorted(api for _, api in rows)


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=lambda component: component.name)
def test_a_component_is_pinned(component) -> None:
    assert component.digest or re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-cu\d+)?", component.version)
    if component.kind == "image":
        assert component.artifact.endswith(f":{component.version}" if component.version else component.name)
        assert component.repository is None
    else:
        assert component.artifact.startswith("oci://") != (component.repository is not None)
    assert component.digest is None or re.fullmatch(r"sha256:[0-9a-f]{64}", component.digest)
    assert component.released is None or re.fullmatch(r"\d{4}-\d\d-\d\d", component.released)


def test_a_reference_carries_the_digest_where_one_is_known() -> None:
    assert COMPONENTS["gib"].reference.startswith(
        "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib:v1.1.2@sha256:"
    )
    assert COMPONENTS["vllm"].reference == "vllm/vllm-openai:v0.32.0"


def test_no_two_images_share_a_digest() -> None:
    digests = [c.digest for c in COMPONENTS.values() if c.digest]
    assert len(digests) == len(set(digests)) >= 4


def test_no_pair_is_said_to_go_and_not_to_go_together() -> None:
    pairs = [(match.a, match.b) for match in MATCHES]
    assert len(pairs) == len(set(pairs))
    assert {match.ok for match in MATCHES} == {True, False}


def test_what_is_pinned_is_what_the_pairs_speak_of() -> None:
    assert COMPONENTS["gib"].version == RUNTIME.gib_min
    pinned = {match.a for match in MATCHES} | {match.b for match in MATCHES}
    for name in ("endpoint-picker", "routing-sidecar", "tcpxo-plugin", "tcpxo-rxdm", "tcpx-plugin", "tcpx-rxdm"):
        assert f"{name}=={COMPONENTS[name].version.removeprefix('v')}" in pinned
