"""Installing KServe: charts that belong together, in an order that their webhooks survive.

LLMInferenceService has charts of its own, besides those of the classic InferenceService: definitions, controller, and
the configurations that the controller looks for. Their webhooks need certificates of cert-manager, which has a webhook
too. A program that lets all of it go at once fails with 'no endpoints available for service' somewhere in between, or
installs half of it and says that it succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.controllers import KSERVE_GROUP, LWS_GROUP
from inference.facts.operators import OPERATORS
from inference.rules.framework import About, Severity, rule
from inference.rules.views.helm import HelmRelease
from inference.rules.views.hosting import cluster_of
from inference.rules.views.installers import Installed, installed
from inference.rules.views.kserve import LlmService, Workload
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

_KSERVE = "KServe"
_CERT_MANAGER = "cert-manager"
_LWS = "LeaderWorkerSet"
_LLM_DEFINITIONS = frozenset({"kserve-llmisvc-crd", "kserve-llmisvc-crd-minimal"})
_LLM_CONTROLLER = "kserve-llmisvc-resources"
_CONFIGURATIONS = "kserve-runtime-configs"
_INSTALL = "https://github.com/kserve/kserve/issues/4977"


@rule(
    "kserve-controllers-first",
    title="Objects of KServe and cert-manager wait for the controllers whose webhooks judge them",
    breaks="'failed calling webhook … no endpoints available for service', 'connection refused', 'unable to parse "
    "bytes "
    "as PEM block': the update fails half-way, with the accelerator pools already up.",
    fix="Add the controller's Release (or Deployment) to depends_on, let it be awaited (no skipAwait), and let "
    "KServe's "
    "release depend on cert-manager's.",
    source="https://github.com/kserve/kserve/issues/3102",
    severity=Severity.HIGH,
    covers=("KS-001",),
    needs_program=True,
)
def controllers_first(stack: Stack) -> Iterator[About]:
    found = installed(stack)
    for name in (_KSERVE, _CERT_MANAGER):
        controllers = found.controllers.get(name, ())
        for thing in _objects(stack, name) if controllers else ():
            if not _waits(stack, thing.resource, controllers):
                yield About(
                    thing.resource,
                    f'{thing} does not wait for "{controllers[0].name}", which runs the webhook of {name}; written '
                    "before the webhook answers, it is refused. Add it to depends_on.",
                )
    for controller in found.controllers.get(_KSERVE, ()):
        issuers = found.controllers.get(_CERT_MANAGER, ())
        if issuers and _needs_certificates(controller) and not _waits(stack, controller, issuers):
            yield About(
                controller,
                f'"{controller.name}" installs KServe and does not wait for "{issuers[0].name}", the cert-manager that '
                "issues its webhook's certificates. Add it to depends_on.",
            )
    for name in (_KSERVE, _CERT_MANAGER):
        for controller in found.controllers.get(name, ()):
            if _unawaited(controller) and any(True for _ in _objects(stack, name)):
                yield About(
                    controller,
                    f'"{controller.name}" runs the webhook of {name} and is not awaited (skipAwait); what depends on '
                    "it "
                    "is written before the webhook answers. Remove skipAwait.",
                )


def _objects(stack: Stack, operator: str) -> Iterator[KubernetesObject]:
    groups = OPERATORS[operator].groups
    for thing in stack.each(KubernetesObject):
        if thing.group in groups:
            yield thing


def _waits(stack: Stack, resource: Resource, controllers: tuple[Resource, ...]) -> bool:
    return any(
        stack.depends(resource, controller)
        or resource is controller
        or resource.parent == controller.urn
        or (resource.parent != "" and resource.parent == controller.parent and "kubernetes:" in resource.parent)
        for controller in controllers
    )


def _needs_certificates(controller: Resource) -> bool:
    return not any(
        release.values.flag("kserve", "certManager", "enabled") is False or not release.whole
        for release in controller.view(HelmRelease.of)
    )


def _unawaited(controller: Resource) -> bool:
    if any(release.kind == "Release" for release in controller.view(HelmRelease.of)):
        return controller.props.flag("skipAwait") is True
    return any(
        thing.annotations.get("pulumi.com/skipAwait") == "true" for thing in controller.view(KubernetesObject.of)
    )


@rule(
    "kserve-llmisvc-installed",
    title="A program that deploys LLMInferenceServices into its own cluster installs what serves them",
    breaks="'no matches for kind LLMInferenceService', or an object that nobody reconciles: the classic charts install "
    "without it and report success.",
    fix="Install kserve-llmisvc-crd, kserve-llmisvc-resources and kserve-runtime-configs (llmisvcConfigs.enabled), and "
    "LeaderWorkerSet where worker is used.",
    source=_INSTALL,
    severity=Severity.HIGH,
    covers=("KS-008",),
)
def llmisvc_installed(stack: Stack) -> Iterator[About]:
    found = installed(stack)
    services = list(stack.each(LlmService))
    if not services or found.hidden:
        return
    first = services[0]
    pieces = _pieces(found)
    if not pieces and cluster_of(stack, first.resource) is None:
        return
    for missing, remedy in _missing(stack, found):
        yield About(
            first.resource,
            f"{first} needs {missing}, which the program does not install; it is refused, or nobody acts on it. "
            f"{remedy}",
        )


def _pieces(found: Installed) -> bool:
    """Whether the program installs some part of KServe, so that the rest is its business too."""
    defined = any(group == KSERVE_GROUP for group, _ in found.definitions)
    return defined or bool(found.crds.get(_KSERVE) or found.controllers.get(_KSERVE))


def _missing(stack: Stack, found: Installed) -> Iterator[tuple[str, str]]:
    releases = {release.chart: release for release in stack.each(HelmRelease)}
    charts = set(releases)
    others = [
        r for r in (*found.crds.get(_KSERVE, ()), *found.controllers.get(_KSERVE, ())) if not r.view(HelmRelease.of)
    ]
    manifests = any(not resource.view(KubernetesObject.of) for resource in others)
    if (
        not manifests
        and not charts & _LLM_DEFINITIONS
        and (KSERVE_GROUP, "LLMInferenceService") not in found.definitions
    ):
        yield "the definition of its kind", "Install the chart kserve-llmisvc-crd."
    workload = any("llmisvc" in (thing.name or "") for r in others for thing in r.view(KubernetesObject.of))
    if not manifests and not workload and _LLM_CONTROLLER not in charts:
        yield "the llmisvc controller", f"Install the chart {_LLM_CONTROLLER}."
    configs = releases.get(_CONFIGURATIONS)
    if configs is not None and _left_out(configs):
        yield (
            f"the configurations that the controller looks for, which {configs} leaves out",
            "Set kserve.llmisvcConfigs.enabled: true in its values.",
        )
    grouped = any(workload.has_worker for workload in stack.each(Workload))
    lws = found.crds.get(_LWS) or any(group == LWS_GROUP for group, _ in found.definitions)
    if grouped and not lws:
        yield "LeaderWorkerSet, because it sets worker", "Install the chart lws."


def _left_out(configs: HelmRelease) -> bool:
    place = ("kserve", "llmisvcConfigs", "enabled")
    return configs.whole and configs.values.known(*place) and configs.values.flag(*place) is not True
