"""Helm charts: which version, what happens when an installation is interrupted, values that render.

A chart without an exact version is another chart at the next run, beside definitions and images that stayed. A release
that is interrupted while its pods start is 'pending', and every later run fails until somebody rolls it back by hand.
Router charts refuse the values of their predecessors, or take a wrong one and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.endpoint_picker import FAILURE_MODES
from inference.facts.operators import operator_of_chart
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.helm import HelmRelease
from inference.rules.views.manifests import RemoteManifest

_EXACT = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
_MOVING = re.compile(r"(?:^|[-.])(?:latest|main|master|dev|nightly|head)(?:$|[-.])", re.IGNORECASE)
_ROUTER = frozenset({"llm-d-router-gateway", "llm-d-router-standalone"})
_OLDER_KEYS = ("inferenceExtension", "inferencePool", "experimentalHttpRoute", "inferenceObjectives")
_OF_MODELS = frozenset({"nim-llm", "llm-d-modelservice", "vllm-stack", "vllm", "text-generation-inference", "sglang"})
_OPERATORS = frozenset({"kube-prometheus-stack", "argo-cd", "istiod"})
_DEFAULT_TIMEOUT = 300
_MODEL_TIMEOUT = 600


@rule(
    "chart-version-exact",
    title="A chart has an exact version",
    breaks="The chart is upgraded by an unrelated run: picker, definitions and model servers no longer fit together, "
    "and "
    "the plan did not show why.",
    fix="Set version to one release, as the chart's registry names it: v0.10.0.",
    source="https://www.pulumi.com/registry/packages/kubernetes/api-docs/helm/v3/release/",
    severity=Severity.MEDIUM,
    covers=("PK8S-010",),
    on=HelmRelease,
)
def version_exact(release: HelmRelease) -> Iterator[str]:
    reference, version = release.reference, release.version
    pinned_by_address = reference is not None and ("@sha256:" in reference or reference.endswith(".tgz"))
    if reference is None or release.local or pinned_by_address or not release.props.known("version"):
        return
    if release.props.absent("version") or not version:
        yield f"{release} installs {reference} in whatever version is newest. Set version to an exact one."
    elif not _EXACT.fullmatch(version) or _MOVING.search(version):
        yield (
            f"{release} installs {reference} in version {version}, which names a range or a moving build. "
            "Set an exact version."
        )


@rule(
    "chart-manifests-pinned",
    title="Manifests that are fetched from an address come from a release, not from a branch",
    breaks="The branch moves on: the next run, or the next node, gets other definitions and installers than the ones "
    "that were tested. One such change dropped libnccl.so from new A3 nodes only.",
    fix="Use the address of a release asset, a tag or a commit, and ?ref=<tag> for a kustomization.",
    source="https://www.pulumi.com/registry/packages/kubernetes/api-docs/yaml/v2/configfile/",
    severity=Severity.HIGH,
    covers=("PK8S-010", "RDMA-013"),
    on=RemoteManifest,
)
def manifests_pinned(manifest: RemoteManifest) -> Iterator[str]:
    if manifest.moving:
        yield (
            f"{manifest} reads {manifest.address}, which is {manifest.moving}; what it installs changes without a "
            "change of the program. Use the address of a tag, a release or a commit."
        )


@rule(
    "chart-release-recovers",
    title="A slow chart is given the time it needs and is rolled back when it is interrupted",
    breaks="'another operation (install/upgrade/rollback) is in progress' at every later run, or 'context deadline "
    "exceeded' while the model still loads.",
    fix="Set atomic: true on operators and charts with many definitions, and a timeout of at least 600 seconds (1800 "
    "for "
    "large models) on charts that start model servers.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/2054",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("PK8S-009",),
    on=HelmRelease,
)
def release_recovers(release: HelmRelease) -> Iterator[str]:
    props = release.props
    if release.kind != "Release" or props.flag("skipAwait") is True or not props.known("skipAwait"):
        return
    operator = operator_of_chart(release.chart) is not None or release.chart in _OPERATORS
    if operator and props.known("atomic") and props.flag("atomic") is not True:
        yield (
            f"{release} installs {release.chart} without atomic; an interrupted run leaves it pending, and every later "
            "one fails. Set atomic: true."
        )
    timeout = float(_DEFAULT_TIMEOUT) if props.absent("timeout") else props.number("timeout")
    if _starts_models(release) and timeout is not None and timeout < _MODEL_TIMEOUT:
        yield (
            f"{release} starts a model server and is given {timeout:.0f} s; nodes, image and weights take longer, and "
            "the release fails half-way. Set timeout: 1800."
        )


def _starts_models(release: HelmRelease) -> bool:
    if release.chart in _OF_MODELS:
        return True
    return any(path.endswith(("nvidia.com/gpu", "google.com/tpu")) for path, _, _ in release.leaves())


@rule(
    "chart-router-values-render",
    title="The values of a router chart are those of its release",
    breaks="The chart fails to render, or the InferencePool that it renders is refused: no picker, no pool, and the "
    "update stops.",
    fix="Set router.modelServers.matchLabels, requests for the picker, and failureMode FailOpen or FailClose; the keys "
    "of the chart inferencepool became router.epp, router.modelServers, httpRoute and router.inferenceObjectives.",
    source="https://github.com/llm-d/llm-d-router/tree/main/config/charts",
    severity=Severity.HIGH,
    on=HelmRelease,
)
def router_values_render(release: HelmRelease) -> Iterator[str]:
    values = release.values
    if release.chart in _ROUTER:
        for key in _OLDER_KEYS:
            if values.section(key):
                yield f"{release} gives {release.chart} the key {key} of an older chart; rendering fails. Rename it."
        labels = values.section("router", "modelServers", "matchLabels")
        if release.whole and values.known("router", "modelServers", "matchLabels") and not labels:
            yield f"{release} names no model servers; rendering fails. Set router.modelServers.matchLabels."
    for path in (("router", "inferencePool", "failureMode"), ("inferenceExtension", "failureMode")):
        mode = values.text(*path)
        if mode is not None and mode not in FAILURE_MODES:
            yield (
                f"{release} sets {'.'.join(path)}: {mode}, which the definition of InferencePool does not know. "
                f"Set {' or '.join(FAILURE_MODES)}."
            )
