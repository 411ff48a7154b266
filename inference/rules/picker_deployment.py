"""The endpoint picker as a workload: what it must be allowed to read, where it should run, what it must know of vLLM.

A picker without its role bindings starts, watches nothing and finds no endpoint. One that stands on a spot node takes
every model behind it down when the node goes, unless its pool fails open. And it ranks replicas by metrics and prefix
hashes whose names and block sizes are the engine's: where they differ it ranks by nothing, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.endpoint_picker import POOL_GROUP, POOL_GROUP_DEPRECATED
from inference.facts.gke import NODE_POOL_LABEL, PROVISIONING_LABEL, SPOT_LABEL
from inference.facts.vllm import KV_CACHE_METRIC, RENAMED_METRICS, RENAMED_METRICS_GONE
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import NodePool
from inference.rules.views.gateway import InferencePool, Service
from inference.rules.views.helm import HelmRelease
from inference.rules.views.installers import may_bring
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.picker import Picker, PickerBuild, PickerConfiguration
from inference.rules.views.picking import configurations, servers_of_configuration, servers_of_picker
from inference.rules.views.pods import PodTemplate
from inference.rules.views.rbac import bindings_of, may
from inference.rules.views.resources import Resource
from inference.rules.views.routing import router_values
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_METRIC_FLAG = "kv-cache-usage-percentage-metric"
_BLOCK_SIZE_DEFAULT = 16
_PRECISE = ("precise-prefix-cache-scorer", "precise-prefix-cache-producer")


@rule(
    "picker-may-read-its-pool",
    title="The service account of a picker may read pods and pools",
    breaks="'pods is forbidden' in the picker's log: its cache never fills, the readiness probe fails or every request "
    "finds no endpoint.",
    fix="Bind a Role with get, list and watch on pods and on inferencepools (inference.networking.k8s.io) to the "
    "picker's service account, in the pool's namespace.",
    source="https://github.com/llm-d/llm-d-router/blob/main/config/charts/routerlib/templates/_rbac.yaml",
    severity=Severity.HIGH,
)
def may_read_its_pool(stack: Stack) -> Iterator[About]:
    for picker in stack.each(Picker):
        pod = picker.pod
        if not pod.spec.known("serviceAccountName") or may_bring(stack, pod.namespace) or not pod.object.placed:
            continue
        account = pod.spec.text("serviceAccountName") or pod.spec.text("serviceAccount") or "default"
        bindings = bindings_of(stack, account, pod.namespace)
        owned = account == "default" or stack.object("ServiceAccount", "", account, pod.namespace) is not None
        if bindings is None or not (bindings or owned):
            continue
        missing = [
            what
            for what, groups in (("pods", ("",)), ("inferencepools", (POOL_GROUP, POOL_GROUP_DEPRECATED)))
            if not any(_reads(stack, bindings, group, what) for group in groups)
        ]
        if "endpoint-selector" in picker.flags:
            missing = [what for what in missing if what == "pods"]
        if missing:
            yield About(
                pod.object.resource,
                f'{pod} runs the endpoint picker as service account "{account}", which may not get, list and watch '
                f"{' and '.join(missing)} in namespace {pod.namespace}; it finds no endpoint. Bind a Role with these "
                "rights to the account.",
            )


def _reads(stack: Stack, bindings: tuple[KubernetesObject, ...], group: str, what: str) -> bool:
    return all(may(stack, bindings, verb, group, what) for verb in ("get", "list", "watch"))


@rule(
    "picker-watches-its-pool",
    title="A picker watches the pool that names it",
    breaks="The picker watches a pool that is not there, or another one: 'InferencePool not found' in its log, and "
    "every request to the pool finds no endpoint.",
    fix="Set --pool-name and --pool-namespace to name and namespace of the InferencePool.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/tree/main/cmd/epp",
    severity=Severity.HIGH,
)
def watches_its_pool(stack: Stack) -> Iterator[About]:
    for pool in stack.each(InferencePool):
        name = pool.picker.text("name")
        found = stack.object("Service", "", name, pool.namespace) if name and pool.object.placed else None
        if found is None:
            continue
        for pod in found.resource.view(Service.of)[0].pods(stack):
            for picker in (picker for picker in pod.object.resource.view(Picker.of) if picker.pod is pod):
                for flag, wanted, given in _watched(picker, pool):
                    yield About(
                        pod.object.resource,
                        f"{picker} watches {flag.removeprefix('pool-')} {given}, and {pool} of namespace "
                        f"{pool.namespace} asks it for endpoints; it has none. Set --{flag}={wanted}.",
                    )


def _watched(picker: Picker, pool: InferencePool) -> Iterator[tuple[str, str, str]]:
    """Yield the options by which a picker watches another pool: option, value needed, value given."""
    name, namespace = picker.flags.get("pool-name"), picker.flags.get("pool-namespace")
    if name is not None and pool.name is not None and "$" not in name and name != pool.name:
        yield "pool-name", pool.name, name
    if namespace is None and name is not None and picker.container.props.absent("envFrom"):
        namespace = picker.container.environment.get("NAMESPACE", "default")
        if "NAMESPACE" in picker.container.variable_names and namespace == "default":
            return
    if namespace is not None and "$" not in namespace and namespace != pool.namespace:
        yield "pool-namespace", pool.namespace, namespace


@rule(
    "picker-fail-close-on-firm-ground",
    title="A picker whose pool fails closed runs on nodes that stay, with resources of its own",
    breaks="While the one picker pod is evicted, preempted or restarted, the gateway drops every request to healthy "
    "accelerators.",
    fix="Set endpointPickerRef.failureMode: FailOpen, or run the picker on a standard CPU pool with requests for CPU "
    "and memory.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/blob/main/api/v1/inferencepool_types.go",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("GW-017",),
)
def fail_close_on_firm_ground(stack: Stack) -> Iterator[About]:
    for pool in stack.each(InferencePool):
        mode = "FailClose" if pool.picker.absent("failureMode") else pool.picker.text("failureMode")
        name = pool.picker.text("name")
        found = stack.object("Service", "", name, pool.namespace) if mode == "FailClose" and name else None
        if found is None:
            continue
        for pod in found.resource.view(Service.of)[0].pods(stack):
            pickers = [picker for picker in pod.object.resource.view(Picker.of) if picker.pod is pod]
            for problem in _loose_ground(stack, pod, pickers):
                yield About(
                    pool.resource,
                    f"{pool} fails closed, and its picker, {pod}, {problem}; while it is away every request is "
                    "dropped. Set failureMode: FailOpen, or give the picker firm ground.",
                )


def _loose_ground(stack: Stack, pod: PodTemplate, pickers: list[Picker]) -> Iterator[str]:
    selector = pod.node_selector
    spot_pools = {pool.name for pool in stack.each(NodePool) if pool.spot and pool.name}
    on_spot = selector.get(SPOT_LABEL) == "true" or selector.get(PROVISIONING_LABEL) in {"spot", "preemptible"}
    if on_spot or selector.get(NODE_POOL_LABEL) in spot_pools:
        yield "is put on spot nodes"
    elif not selector and pod.spec.absent("affinity") and _only_spot(stack):
        yield "can run on spot nodes only"
    for picker in pickers:
        resources = picker.container.props.section("resources")
        asked = [resources.section(place) for place in ("requests", "limits")]
        known = picker.container.props.known("resources") and resources.known("requests") and resources.known("limits")
        if known and not any(place.raw(name) is not None for place in asked for name in ("cpu", "memory")):
            yield "asks for no CPU and memory, so that it is among the first to be evicted"


def _only_spot(stack: Stack) -> bool:
    pools = [pool for pool in stack.each(NodePool) if not pool.gpu and not pool.tpu]
    return bool(pools) and all(pool.spot for pool in pools)


@rule(
    "picker-kv-metric-current",
    title="The picker reads the KV-cache metric that the model servers export",
    breaks="Nothing says so: the metric is missing from the scrape, every replica counts as empty, saturation is never "
    "seen, and some replicas run hot.",
    fix=f"Run a picker of v1.3.1 or later, or set the option {_METRIC_FLAG} (engineConfigs[].kvUsageSpec from router "
    f"v0.10 on) to {KV_CACHE_METRIC}.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/1905",
    severity=Severity.MEDIUM,
    covers=("GW-012",),
)
def kv_metric_current(stack: Stack) -> Iterator[About]:
    for source, label, metric, build, servers in _metrics(stack):
        versions = [server.image_version for server in servers if server.engine == "vllm"]
        known = [version for version in versions if version is not None]
        if metric is not None and metric in RENAMED_METRICS:
            if known and len(known) == len(versions) and max(known) < RENAMED_METRICS_GONE:
                continue
            yield About(
                source,
                f"{label} reads {metric}, which vLLM no longer exports; replicas are ranked without their KV cache. "
                f"Set {RENAMED_METRICS[metric]}.",
            )
        elif metric is None and build is not None and build.older_than("gaie", 1, 3, 1):
            current = [version for version in known if version >= RENAMED_METRICS_GONE]
            if current:
                written = ".".join(map(str, build.version or ()))
                yield About(
                    source,
                    f"{label} is a picker of v{written}, which reads {next(iter(RENAMED_METRICS))} by default, and its "
                    f"model servers run vLLM {'.'.join(map(str, current[0]))}, which exports {KV_CACHE_METRIC} only. "
                    f"Run v1.3.1 or later, or set --{_METRIC_FLAG}={KV_CACHE_METRIC}.",
                )


Metric = tuple[Resource, str, str | None, PickerBuild | None, tuple[ModelServer, ...]]


def _metrics(stack: Stack) -> Iterator[Metric]:
    """Yield where a picker learns which metric to read; the metric is ``None`` where the default is in force."""
    configured: set[str] = set()
    for config in configurations(stack):
        for parameters in config.parameters("core-metrics-extractor"):
            for engine in parameters.sections("engineConfigs"):
                configured.add(config.resource.urn)
                if metric := engine.text("kvUsageSpec"):
                    bare = metric.partition("{")[0].strip()
                    label = str(config)[:1].upper() + str(config)[1:]
                    yield config.resource, label, bare, config.build, servers_of_configuration(stack, config)
    for picker in stack.each(Picker):
        metric = picker.flags.get(_METRIC_FLAG)
        if metric or not configured:
            yield picker.pod.object.resource, str(picker), metric, picker.build, servers_of_picker(stack, picker)
    for release in stack.each(HelmRelease):
        values = router_values(release)
        if release.chart in {"inferencepool", "llm-d-router-gateway"} and release.resource.urn not in configured:
            metric = values.section("flags").text(_METRIC_FLAG)
            labels = release.values.strings("inferencePool", "modelServers", "matchLabels")
            pods = stack.pods_matching(labels, release.namespace or "")
            servers = tuple(s for pod in pods for s in pod.object.resource.view(ModelServer.of) if s.pod is pod)
            yield release.resource, str(release), metric, _chart_build(release), servers


def _chart_build(release: HelmRelease) -> PickerBuild | None:
    version = (release.version or "").removeprefix("v").split("-")[0].split(".")
    if release.chart != "inferencepool" or len(version) != 3 or not all(part.isdigit() for part in version):
        return None
    if not release.values.absent("inferenceExtension", "image", "tag"):
        return None
    return PickerBuild("gaie", (int(version[0]), int(version[1]), int(version[2])))


@rule(
    "picker-prefix-blocks-match",
    title="A picker that follows prefix caches is told what the engine's cache looks like",
    breaks="Nothing says so: the picker's hashes never meet the engine's, no prefix is ever found, and requests are "
    "spread by load alone: the cache is computed again on each replica.",
    fix="Set the scorer's blockSize (and hashSeed) to vLLM's --block-size (and PYTHONHASHSEED) before router v0.10; "
    "start vLLM with --kv-events-config for precise prefix routing.",
    source="https://github.com/kserve/kserve/pull/5011",
    severity=Severity.MEDIUM,
    covers=("GW-028",),
)
def prefix_blocks_match(stack: Stack) -> Iterator[About]:
    for config in configurations(stack):
        label = str(config)[:1].upper() + str(config)[1:]
        servers = [s for s in servers_of_configuration(stack, config) if s.engine == "vllm" and s.serves_http]
        for server in servers:
            problems = [*_silent_engine(config, server)]
            if _must_match(stack, config):
                problems += _mismatches(config, server)
            for problem in problems:
                yield About(config.resource, f"{label} {problem}")


def _silent_engine(config: PickerConfiguration, server: ModelServer) -> Iterator[str]:
    precise = [kind for _, kind in config.plugins if kind in _PRECISE]
    off = server.options.json("kv-events-config").flag("enable_kv_cache_events") is False
    if precise and (server.options.absent("kv-events-config") or off):
        yield (
            f"lists {precise[0]}, which learns from KV events, and {server} publishes none; no prefix is ever found. "
            'Start vLLM with --kv-events-config \'{"enable_kv_cache_events": true, "publisher": "zmq"}\'.'
        )


def _must_match(stack: Stack, config: PickerConfiguration) -> bool:
    """Whether a picker reads it that hashes by its own block size: before llm-d-router v0.10, and those of GAIE."""
    build = config.build
    if build is not None:
        return build.older_than("llm-d", 0, 10, 0) or build.family == "gaie"
    charts = [release for release in stack.each(HelmRelease) if release.chart == "kserve-llmisvc-resources"]
    versions = [(release.version or "").removeprefix("v").split(".") for release in charts]
    return any(v[0] == "0" and len(v) > 1 and v[1].isdigit() and int(v[1]) <= 20 for v in versions)


def _mismatches(config: PickerConfiguration, server: ModelServer) -> Iterator[str]:
    written = server.options.integer("block-size")
    default = _BLOCK_SIZE_DEFAULT if server.options.absent("block-size") else None
    for size, exact in _block_sizes(config):
        engine = written if written is not None else default if exact else None
        if engine is not None and size != engine:
            yield (
                f"hashes prompts in blocks of {size} tokens, and {server} keeps blocks of {engine}; no prefix is ever "
                f"found. Set blockSize: {engine}, or --block-size {size} on the model servers."
            )
            break
    seeds = {p.strings("tokenProcessorConfig").get("hashSeed") for kind in _PRECISE for p in config.parameters(kind)}
    seeds -= {None, ""}
    engine_seed = server.environment.get("PYTHONHASHSEED")
    if seeds and (engine_seed is None or engine_seed.known) and str(engine_seed or "") not in seeds:
        yield (
            f"hashes with the seed {sorted(map(str, seeds))[0]}, and {server} runs "
            f"{f'with PYTHONHASHSEED={engine_seed}' if engine_seed else 'without PYTHONHASHSEED'}; no prefix is ever "
            "found. Set PYTHONHASHSEED to the picker's hashSeed."
        )


def _block_sizes(config: PickerConfiguration) -> Iterator[tuple[int, bool]]:
    """Yield the block sizes that it states, and whether they are certainly counted in the engine's tokens."""
    for kind in _PRECISE:
        for parameters in config.parameters(kind):
            if (size := _token_blocks(parameters)) is not None:
                yield size, True
    for parameters in config.parameters("prefix-cache-scorer"):
        if (size := parameters.integer("blockSize")) is not None:
            yield size, False


def _token_blocks(parameters: Props) -> int | None:
    return parameters.integer("tokenProcessorConfig", "blockSize") or parameters.integer(
        "indexerConfig", "tokenProcessorConfig", "blockSize"
    )
