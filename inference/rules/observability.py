"""Metrics: whether somebody scrapes them, under names that dashboards and autoscalers ask for.

A PodMonitoring that selects nothing, or names a port that no container has, is accepted and scrapes nothing. A model
server is not bound by its CPU, so an autoscaler on CPU sees an idle pod while requests queue. The chain from the engine
to the replicas has five links: a metric that the engine exports, a port, a selector, managed collection in the cluster,
an adapter. Nothing reports the broken one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.vllm import METRICS, METRICS_PATH, RENAMED_METRICS, RENAMED_METRICS_GONE
from inference.rules.framework import About, Severity, rule
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.hosting import cluster_of
from inference.rules.views.installers import installed, manifest_addresses, may_bring
from inference.rules.views.monitoring import PodMonitoring, monitorings_of
from inference.rules.views.pods import PodTemplate
from inference.rules.views.routing import servers_in
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_ENGINE = "https://github.com/GoogleCloudPlatform/prometheus-engine"
_GMP = "https://docs.cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed"
_HPA = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/machine-learning/inference/autoscaling"
_PROTECTED = frozenset(
    {
        "project_id",
        "location",
        "cluster",
        "namespace",
        "job",
        "instance",
        "top_level_controller",
        "top_level_controller_type",
        "__address__",
    }
)
"""Labels that Managed Prometheus sets itself."""
_DURATION = re.compile(r"(?:(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?|0)")
_UNITS = {"y": 31536e3, "w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PROCESSOR = frozenset({"cpu", "memory"})
_MANAGED = "prometheus.googleapis.com|"
_ADAPTER = "custom-metrics-stackdriver-adapter"
_METRIC = re.compile(r"vllm:[a-z0-9_]{1,80}")
_SERIES = re.compile(r"_(?:total|bucket|sum|count|created)$")
_TYPED = 0.92
"""Likeness of two names from which on one is the other with a slip of the pen."""


@rule(
    "metrics-monitoring-well-formed",
    title="A PodMonitoring names intervals with a unit, a port, and labels that are its own to set",
    breaks="The admission refuses it ('cannot relabel onto protected label', 'not a valid duration'), or series are "
    "renamed to exported_… and dashboards and autoscalers find nothing.",
    fix="Write interval: 15s, a timeout no longer than it, a port, and other label names than project_id, location, "
    "cluster, namespace, job, instance.",
    source="https://github.com/GoogleCloudPlatform/prometheus-engine/pull/97",
    severity=Severity.HIGH,
    covers=("OPS-016",),
    on=PodMonitoring,
)
def monitoring_well_formed(monitoring: PodMonitoring) -> Iterator[str]:
    for label in monitoring.written_labels:
        if label in _PROTECTED:
            yield (
                f"{monitoring} writes the label {label}, which Managed Prometheus sets itself; the object is refused. "
                "Use another name."
            )
    for endpoint in monitoring.endpoints:
        interval, timeout = endpoint.text("interval"), endpoint.text("timeout")
        written = endpoint.raw("interval")
        if isinstance(written, int | float) or (interval is not None and not _is_duration(interval)):
            yield f"{monitoring} scrapes every {written}, which is no duration; it is refused. Write interval: 15s."
        elif interval and timeout and _is_duration(timeout) and _seconds(timeout) > _seconds(interval):
            yield (
                f"{monitoring} waits {timeout} for a scrape and scrapes every {interval}; it is refused. "
                "Set a timeout no longer than the interval."
            )
        if endpoint.absent("port"):
            yield f"{monitoring} has an endpoint without port; it is refused. Set the name of a container port."


def _is_duration(text: str) -> bool:
    return bool(text) and _DURATION.fullmatch(text) is not None


def _seconds(text: str) -> float:
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[ywdhms])", text))


@rule(
    "metrics-monitoring-finds-pods",
    title="A PodMonitoring selects pods of its namespace, and a port that they have",
    breaks="No vllm:* series at all. Dashboards are empty and the autoscaler has nothing to act on; no error anywhere.",
    fix="Take the selector from the labels of the pod template and the port from the name of a container port.",
    source=_ENGINE,
    severity=Severity.MEDIUM,
    covers=("OPS-007",),
)
def monitoring_finds_pods(stack: Stack) -> Iterator[About]:
    for monitoring in stack.each(PodMonitoring):
        if not monitoring.settled or not monitoring.object.metadata.known("namespace"):
            continue
        pods = monitoring.pods(stack)
        if not pods:
            other = stack.view(_well_known_pods).get(monitoring.only_in or "")
            if other is not None and not may_bring(stack, monitoring.namespace):
                yield About(
                    monitoring.resource,
                    f"{monitoring} selects no pod of namespace {monitoring.namespace}; nothing is scraped. {other} has "
                    f"the labels {', '.join(f'{k}={v}' for k, v in sorted(other.labels.items())) or '(none)'}.",
                )
            elif other is None and (strangers := _elsewhere(stack, monitoring)):
                yield About(
                    monitoring.resource,
                    f"{monitoring} is in namespace {monitoring.namespace}, and {strangers[0]}, whose labels it "
                    f"selects, in {strangers[0].namespace}; it scrapes its own namespace only. Declare it there, or a "
                    "ClusterPodMonitoring.",
                )
            continue
        for endpoint in monitoring.endpoints:
            if problem := _wrong_port(endpoint.text("port"), endpoint.integer("port"), pods):
                yield About(monitoring.resource, f"{monitoring} {problem}")
            for problem in _wrong_path(endpoint, pods):
                yield About(monitoring.resource, f"{monitoring} {problem}")


def _elsewhere(stack: Stack, monitoring: PodMonitoring) -> tuple[PodTemplate, ...]:
    """Return pods of other namespaces that it would select, where nothing may put pods into its own."""
    wanted = monitoring.spec.strings("selector", "matchLabels")
    if not wanted or monitoring.only_in is None or may_bring(stack, monitoring.namespace):
        return ()
    key, value = next(iter(wanted.items()))
    candidates = stack.view(_pods_by_label).get((key, value), ())
    return tuple(pod for pod in candidates if monitoring.selects(pod))


def _pods_by_label(stack: Stack) -> dict[tuple[str, str], list[PodTemplate]]:
    found: dict[tuple[str, str], list[PodTemplate]] = {}
    for pod in stack.pods():
        for label in pod.labels.items():
            found.setdefault(label, []).append(pod)
    return found


def _wrong_path(endpoint: Props, pods: tuple[PodTemplate, ...]) -> Iterator[str]:
    """Yield why the servers answer nothing on the path that is scraped."""
    written = METRICS_PATH if endpoint.absent("path") else endpoint.text("path")
    path = written.rstrip("/") if written is not None else None
    for server in servers_in(pods):
        names = {port.text("name"): port.integer("containerPort") for port in server.container.props.sections("ports")}
        port = endpoint.integer("port") or names.get(endpoint.text("port"))
        if path is None or port is None or port != server.port or not server.serves_http:
            continue
        if server.engine == "vllm" and not server.front and path != METRICS_PATH:
            yield f"scrapes {path} of {server}, which has its metrics on {METRICS_PATH}. Set path: {METRICS_PATH}."
        if server.engine == "sglang" and server.options.complete and not server.options.has("enable-metrics"):
            yield (
                f"scrapes {server}, which exports metrics only when it is told to. Add --enable-metrics to its options."
            )


def _well_known_pods(stack: Stack) -> dict[str, PodTemplate]:
    """Return a pod template of each namespace where the labels of all pods are known."""
    found: dict[str, PodTemplate] = {}
    hidden: set[str] = set()
    for pod in stack.pods():
        found.setdefault(pod.namespace, pod)
        if not _labels_known(pod):
            hidden.add(pod.namespace)
    return {namespace: pod for namespace, pod in found.items() if namespace not in hidden}


def _labels_known(pod: PodTemplate) -> bool:
    labels = pod.metadata.section("labels")
    controlled = pod.object.group in {KSERVE_GROUP, "ray.io"}
    return pod.metadata.known("labels") and all(labels.known(key) for key in labels) and not controlled


def _wrong_port(name: str | None, number: int | None, pods: tuple[PodTemplate, ...]) -> str | None:
    ports = [port for pod in pods for container in pod.all_containers for port in container.props.sections("ports")]
    if any(not container.props.known("ports") for pod in pods for container in pod.all_containers):
        return None
    if any(pod.object.group in {KSERVE_GROUP, "ray.io"} for pod in pods):
        return None
    if name is not None and not name.isdigit():
        names = sorted({found for port in ports if (found := port.text("name"))})
        if name not in names and not any(not port.known("name") for port in ports):
            return (
                f'scrapes the port "{name}", which no container of {pods[0]} has '
                f"({', '.join(names) or 'none is named'}); "
                "nothing is scraped. Name a container port."
            )
    elif number is not None:
        servers = servers_in(pods)
        numbers = {server.port for server in servers if server.port is not None}
        numbers.update(value for port in ports if (value := port.integer("containerPort")) is not None)
        if numbers and number not in numbers and all(server.port is not None for server in servers):
            listed = ", ".join(map(str, sorted(numbers)))
            return (
                f"scrapes port {number}, and {pods[0]} has {listed}; nothing is scraped. Name the port of a container."
            )
    return None


@rule(
    "metrics-collection-enabled",
    title="A cluster with PodMonitorings collects with Managed Prometheus",
    breaks="'no matches for kind PodMonitoring', or objects that nobody reads: no series, no error.",
    fix="Set monitoringConfig.managedPrometheus.enabled: true.",
    source=_GMP,
    severity=Severity.MEDIUM,
    covers=("OPS-007",),
)
def collection_enabled(stack: Stack) -> Iterator[About]:
    told: set[str] = set()
    for monitoring in stack.each(PodMonitoring):
        cluster = cluster_of(stack, monitoring.resource)
        if cluster is None or cluster.resource.urn in told:
            continue
        if cluster.props.flag("monitoringConfig", "managedPrometheus", "enabled") is False:
            told.add(cluster.resource.urn)
            yield About(
                cluster.resource,
                f"{cluster} has managedPrometheus switched off, and {monitoring} is declared for it; nothing is "
                "scraped. Set monitoringConfig.managedPrometheus.enabled: true.",
            )


@rule(
    "autoscaling-by-serving-metric",
    title="Model servers scale by their queue or their KV cache, not by CPU or memory",
    breaks="A GPU server's CPU says nothing about its load: requests queue at 5 % CPU, or replicas stay up for ever "
    "because memory never shrinks.",
    fix="Use vllm:num_requests_waiting or vllm:kv_cache_usage_perc, scraped by a PodMonitoring.",
    source=_HPA,
    severity=Severity.MEDIUM,
    covers=("OPS-006",),
)
def by_serving_metric(stack: Stack) -> Iterator[About]:
    for scaler in stack.each(Autoscaler):
        target = scaler.target(stack)
        pods = target.resource.view(PodTemplate.of) if target is not None else ()
        if not any(pod.accelerators for pod in pods):
            continue
        metrics = scaler.processor_metrics
        if metrics and not scaler.other_metrics:
            yield About(
                scaler.resource,
                f"{scaler} scales the accelerator pods of {target} by {' and '.join(metrics)}, which says nothing "
                "about "
                "their load; requests queue while it sees idle pods. Scale by vllm:num_requests_waiting.",
            )


@rule(
    "autoscaling-metric-exported",
    title="The metric that an autoscaler asks for is exported, scraped and served",
    breaks="FailedGetPodsMetric or FailedGetExternalMetric in the autoscaler's events, and replicas never change.",
    fix="Declare a PodMonitoring for the pods and the adapter (custom-metrics-stackdriver-adapter), and use a metric "
    "that this version of the engine exports.",
    source=_HPA,
    severity=Severity.MEDIUM,
    covers=("OPS-006", "GW-012"),
)
def metric_exported(stack: Stack) -> Iterator[About]:
    for scaler in stack.each(Autoscaler):
        target = scaler.target(stack)
        pods = target.resource.view(PodTemplate.of) if target is not None else ()
        names = scaler.metric_names
        for gone, successor in RENAMED_METRICS.items():
            if any(gone in name for name in names) and _current(pods):
                yield About(
                    scaler.resource, f"{scaler} asks for {gone}, which vLLM no longer exports. Use {successor}."
                )
        for asked in dict.fromkeys(word for name in names for word in _METRIC.findall(name)):
            plain = _SERIES.sub("", asked)
            meant = (
                get_close_matches(plain, METRICS, 1, _TYPED) if plain not in METRICS | RENAMED_METRICS.keys() else []
            )
            if meant:
                yield About(
                    scaler.resource, f"{scaler} asks for {asked}, which vLLM does not export. Ask for {meant[0]}."
                )
        engine = [name for name in names if "vllm:" in name]
        managed = [name for name in names if name.startswith(_MANAGED)]
        if not pods or not engine or not _owns_monitoring(stack, scaler):
            continue
        if not any(monitorings_of(stack, pod) for pod in pods):
            yield About(
                scaler.resource,
                f"{scaler} asks for {engine[0]}, and no PodMonitoring scrapes the pods of {target}; it never gets a "
                "value. Declare a PodMonitoring that selects them.",
            )
        if managed and cluster_of(stack, scaler.resource) is not None and not stack.view(_has_adapter):
            yield About(
                scaler.resource,
                f"{scaler} asks the custom metrics API for {managed[0]}, and the program installs no adapter that "
                f"answers; it never gets a value. Install {_ADAPTER}.",
            )


def _current(pods: tuple[PodTemplate, ...]) -> bool:
    versions = [server.image_version for server in servers_in(pods) if server.engine == "vllm"]
    return not versions or any(version is None or version >= RENAMED_METRICS_GONE for version in versions)


def _owns_monitoring(stack: Stack, scaler: Autoscaler) -> bool:
    """Whether scraping is this program's business: it makes the cluster, or scrapes other things; nothing is hidden."""
    if may_bring(stack, scaler.namespace) or installed(stack).hidden:
        return False
    return cluster_of(stack, scaler.resource) is not None or any(True for _ in stack.each(PodMonitoring))


def _has_adapter(stack: Stack) -> bool:
    images = (container.image or "" for pod in stack.pods() for container in pod.containers)
    if any(_ADAPTER in image or "prometheus-adapter" in image for image in images):
        return True
    addresses = (address for resource in stack.resources for address in manifest_addresses(resource))
    return any(_ADAPTER in address or "custom-metrics" in address for address in addresses)
