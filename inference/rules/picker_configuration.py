"""The configuration of an endpoint picker: plugins, and the scheduling profiles that name them.

The picker decodes it strictly at start and ends at the first slip: an unknown field or plugin type, a reference to a
plugin that is not listed, two profiles without a handler that chooses between them. The pods crash-loop, the gateway
has nobody to ask and every model behind it is down, however healthy. What is merely useless, such as a weight on a
filter, passes in silence. All of it can be read off the text before it is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from inference.facts.endpoint_picker import (
    CONFIG_API_VERSION,
    CONFIG_FIELDS,
    CONFIG_KIND,
    DEPRECATED_CONFIG_API_VERSION,
    EXPERIMENTAL_FLAG,
    PLUGINS,
    plugins_of,
)
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.picker import PickerConfiguration
from inference.rules.views.picking import configurations
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_LOADER = "https://github.com/llm-d/llm-d-router/tree/main/pkg/epp/config/loader"
_REFERENCE = "https://github.com/llm-d/llm-d-router/blob/main/docs/configuration.md"

_OLDER_NAMES = """
    kv-cache-scorer low-queue-filter decision-tree-filter least-kv-cache-filter least-queue-filter lora-affinity-filter
    sheddable-capacity-filter predicted-latency-scorer predicted-latency-routing slo-request-tracker slo-scorer
    slo-aware-routing slo-aware-profile-handler predicted-latency-profile-handler passthrough-filter
    by-labels-selector model-server-protocol-metrics metrics-extractor prefix-cache-producer
"""
_OLDER_TYPES = frozenset(_OLDER_NAMES.split())
_NEWER_TYPES = frozenset({"sglanghttp-parser", "local-syncer"})
"""Plugin types of releases before and after the one that the facts describe."""
_REGISTERED_BY_ITSELF = frozenset(
    {
        *plugins_of("parser"),
        "utilization-detector",
        "global-strict-fairness-policy",
        "fcfs-ordering-policy",
        "static-usage-limit-policy",
    }
)
"""Plugins that may be referred to without being listed."""
_EXPERIMENTAL_SINCE = (0, 10, 0)


@rule(
    "picker-config-readable",
    title="A picker configuration decodes",
    breaks="'failed to decode configuration JSON/YAML': the picker ends at start, again and again, and the gateway "
    "answers nothing for the models behind it.",
    fix=f"Write apiVersion: {CONFIG_API_VERSION}, kind: {CONFIG_KIND}, and only the fields of that kind.",
    source=_LOADER,
    severity=Severity.HIGH,
    on=PickerConfiguration,
)
def config_readable(config: PickerConfiguration) -> Iterator[str]:
    if config.error:
        yield f"{_start(config)} cannot be read ({config.error}); the picker ends at start. Write it as YAML."
        return
    document = config.document
    if not document:
        return
    for field, wanted in (("apiVersion", CONFIG_API_VERSION), ("kind", CONFIG_KIND)):
        if document.absent(field):
            yield f"{_start(config)} has no {field}; the picker cannot decode it. Set {field}: {wanted}."
    api = document.text("apiVersion")
    if api is not None and api not in {CONFIG_API_VERSION, DEPRECATED_CONFIG_API_VERSION}:
        yield f"{_start(config)} is of apiVersion {api}, which no picker knows. Set apiVersion: {CONFIG_API_VERSION}."
    if api is not None and config.build and config.build.family == "gaie" and api == CONFIG_API_VERSION:
        yield (
            f"{_start(config)} is of apiVersion {api}, and its picker, the one of the inference extension, reads "
            f"{DEPRECATED_CONFIG_API_VERSION} only. Set that, or run ghcr.io/llm-d/llm-d-router-endpoint-picker."
        )
    for profile in config.profiles:
        for reference in profile.sections("plugins"):
            if (weight := reference.text("weight")) is not None:
                name = reference.text("pluginRef") or "?"
                yield (
                    f'{_start(config)} gives "{name}" the weight "{weight}", a text where a number belongs; it does '
                    "not decode. Write the number without quotes."
                )
    if strange := sorted(set(document) - CONFIG_FIELDS):
        close = get_close_matches(strange[0], sorted(CONFIG_FIELDS), 1)
        hint = f"Write {close[0]}." if close else "Remove it."
        yield f"{_start(config)} has the unknown field {strange[0]}; decoding is strict and the picker ends. {hint}"


@rule(
    "picker-plugins-well-formed",
    title="Every plugin of a picker configuration has a type that exists and a name of its own",
    breaks="\"plugin type '…' is not registered\", 'duplicate plugin name': the picker ends at start.",
    fix="Take the types from the reference of the picker's release; give a name to each of two plugins of one type.",
    source=_REFERENCE,
    severity=Severity.HIGH,
    on=PickerConfiguration,
)
def plugins_well_formed(config: PickerConfiguration) -> Iterator[str]:
    names = [name for name, _ in config.plugins]
    for entry in config.document.sections("plugins"):
        if entry.absent("type"):
            yield f'{_start(config)} lists the plugin "{entry.text("name") or "?"}" without a type. Set its type.'
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield f'{_start(config)} lists two plugins named "{name}"; names are unique. Set a name for each.'
    for _, kind in config.plugins:
        if kind and not _exists(kind) and (meant := _meant(kind)):
            yield (
                f'{_start(config)} lists the plugin type "{kind}", which is not registered; the picker ends at start. '
                f'Write "{meant}".'
            )


def _exists(kind: str) -> bool:
    return kind in PLUGINS or kind in _OLDER_TYPES or kind in _NEWER_TYPES


def _meant(kind: str) -> str | None:
    return next(iter(get_close_matches(kind, sorted(PLUGINS), 1, cutoff=0.75)), None)


@rule(
    "picker-references-resolve",
    title="Whatever a picker configuration refers to is among its plugins",
    breaks="\"references undefined plugin '…'\": the picker ends at start.",
    fix="List the plugin under plugins, or correct pluginRef to the name (the type, where no name is given).",
    source=_LOADER,
    severity=Severity.HIGH,
    on=PickerConfiguration,
)
def references_resolve(config: PickerConfiguration) -> Iterator[str]:
    names = {name for name, _ in config.plugins}
    if not config.document.known("plugins") or not config.document:
        return
    for place, reference in _references(config):
        if reference not in names and reference not in _REGISTERED_BY_ITSELF:
            close = get_close_matches(reference, sorted(names), 1)
            hint = f'Write "{close[0]}".' if close else "List it under plugins."
            yield f'{_start(config)} refers in {place} to the plugin "{reference}", which it does not list. {hint}'


def _references(config: PickerConfiguration) -> Iterator[tuple[str, str]]:
    document = config.document
    for profile in config.profiles:
        place = f'the scheduling profile "{profile.text("name") or "?"}"'
        yield from _named(place, *profile.sections("plugins"))
    for source in document.sections("dataLayer", "sources"):
        yield from _named("dataLayer.sources", source, *source.sections("extractors"))
    yield from _named("dataLayer.discovery", document.section("dataLayer", "discovery"))
    yield from _named("requestHandler.parsers", *document.sections("requestHandler", "parsers"))
    yield from _named("flowControl.saturationDetector", document.section("flowControl", "saturationDetector"))
    yield from _named("saturationDetector", document.section("saturationDetector"))
    for band in document.sections("flowControl", "priorityBands"):
        for key in ("fairnessPolicyRef", "orderingPolicyRef"):
            if reference := band.text(key):
                yield f"flowControl.priorityBands[].{key}", reference
    for parameters in config.parameters("disagg-profile-handler"):
        for stage, reference in parameters.strings("deciders").items():
            yield f"deciders.{stage} of disagg-profile-handler", reference
    for parameters in config.parameters("pd-profile-handler"):
        if reference := parameters.text("deciderPluginName"):
            yield "deciderPluginName of pd-profile-handler", reference


def _named(place: str, *holders: Props) -> Iterator[tuple[str, str]]:
    for holder in holders:
        if reference := holder.text("pluginRef"):
            yield place, reference


@rule(
    "picker-profiles-have-handler",
    title="A picker with several scheduling profiles has one handler that chooses between them",
    breaks="'no profile handler configured', 'SingleProfileHandler cannot support multiple scheduling profiles': the "
    "picker ends at start.",
    fix="List exactly one profile handler: disagg-profile-handler for prefill and decode profiles.",
    source=_LOADER,
    severity=Severity.HIGH,
    on=PickerConfiguration,
)
def profiles_have_handler(config: PickerConfiguration) -> Iterator[str]:
    kinds = [kind for _, kind in config.plugins]
    handlers = [kind for kind in kinds if kind in plugins_of("handler") or kind.endswith("profile-handler")]
    # The two header handlers write headers and choose no profile.
    choosing = [kind for kind in handlers if kind not in {"disagg-headers-handler", "prefill-header-handler"}]
    titles = [profile.text("name") or "" for profile in config.profiles]
    for name in sorted({name for name in titles if titles.count(name) > 1}):
        yield f'{_start(config)} has two scheduling profiles named "{name}"; names are unique. Rename one.'
    if len(choosing) > 1:
        yield f"{_start(config)} lists the profile handlers {' and '.join(choosing)}; only one is allowed. Remove one."
    if len(titles) < 2 or not all(_exists(kind) for kind in kinds):
        return
    if not choosing:
        yield (
            f"{_start(config)} has {len(titles)} scheduling profiles and no profile handler; the picker cannot choose "
            "between them and ends at start. Add the plugin disagg-profile-handler."
        )
    elif choosing == ["single-profile-handler"]:
        yield (
            f"{_start(config)} has {len(titles)} scheduling profiles and the single-profile-handler, which takes one. "
            "Use disagg-profile-handler, or keep one profile."
        )


@rule(
    "picker-weights-on-scorers",
    title="Only scorers have weights",
    breaks="Nothing says so: the weight of a filter or picker is ignored, and the profile ranks by fewer scorers than "
    "its author believes.",
    fix="Put the weight on a scorer, or take it away.",
    source=_REFERENCE,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    on=PickerConfiguration,
)
def weights_on_scorers(config: PickerConfiguration) -> Iterator[str]:
    kinds = dict(config.plugins)
    for profile in config.profiles:
        for entry in profile.sections("plugins"):
            plugin = PLUGINS.get(kinds.get(entry.text("pluginRef") or "", ""))
            if plugin is not None and plugin.role != "scorer" and not entry.absent("weight"):
                yield (
                    f'{_start(config)} gives the {plugin.role} "{plugin.name}" a weight in the scheduling profile '
                    f'"{profile.text("name")}", where it has no effect. Remove it, or weigh a scorer.'
                )


@rule(
    "picker-plugins-of-its-build",
    title="A published picker is configured with plugins that it was built with",
    breaks="\"plugin type '…' is not registered\": the picker ends at start.",
    fix="Use a type of the picker's release, or an image that holds the plugin.",
    source=_REFERENCE,
    severity=Severity.HIGH,
)
def plugins_of_its_build(stack: Stack) -> Iterator[About]:
    for config in configurations(stack):
        if config.build is None or config.build.family is None:
            continue
        for _, kind in config.plugins:
            gone = kind in _OLDER_TYPES and _current(config)
            if kind and (gone or (not _exists(kind) and not _meant(kind))):
                yield About(
                    config.resource,
                    f'{_start(config)} lists the plugin type "{kind}", which its published picker does not hold; the '
                    "picker ends at start. Use a plugin of its release, or an image that was built with this one.",
                )


@rule(
    "picker-alpha-plugins-allowed",
    title="A picker that is configured with alpha plugins is allowed to run them",
    breaks="'Plugin stability validation failed': the picker ends at start.",
    fix=f"Add {EXPERIMENTAL_FLAG} to the picker (router.epp.flags in the chart), or use a plugin of beta state.",
    source="https://github.com/llm-d/llm-d-router/blob/main/pkg/epp/framework/interface/plugin/registry.go",
    severity=Severity.HIGH,
)
def alpha_plugins_allowed(stack: Stack) -> Iterator[About]:
    for config in configurations(stack):
        if not _current(config) or config.experimental is not False:
            continue
        alpha = [kind for _, kind in config.plugins if kind in PLUGINS and PLUGINS[kind].state == "alpha"]
        if alpha:
            yield About(
                config.resource,
                f"{_start(config)} lists {', '.join(alpha)} of alpha state, and its picker runs without "
                f"{EXPERIMENTAL_FLAG}; it ends at start. Add the option, or use plugins of beta state.",
            )


@rule(
    "picker-config-not-deprecated",
    title="A picker configuration uses nothing that a coming release removes",
    breaks="Nothing today but lines in the picker's log; at the release after, the picker ends at start.",
    fix=f"Set apiVersion: {CONFIG_API_VERSION}, flowControl.saturationDetector and requestHandler.parsers, and the "
    "plugins that take the place of the deprecated ones.",
    source=_REFERENCE,
    severity=Severity.LOW,
    level=Level.ADVISORY,
)
def config_not_deprecated(stack: Stack) -> Iterator[About]:
    for config in configurations(stack):
        if not _current(config):
            continue
        if config.document.text("apiVersion") == DEPRECATED_CONFIG_API_VERSION:
            yield About(
                config.resource,
                f"{_start(config)} is of the deprecated apiVersion {DEPRECATED_CONFIG_API_VERSION}. "
                f"Set apiVersion: {CONFIG_API_VERSION}.",
            )
        for field, successor in _MOVED.items():
            if not config.document.absent(field):
                yield About(config.resource, f"{_start(config)} sets the deprecated {field}. Set {successor}.")
        for _, kind in config.plugins:
            plugin = PLUGINS.get(kind)
            if plugin is not None and plugin.state == "deprecated":
                successor = plugin.replaced_by or "its successor"
                yield About(config.resource, f'{_start(config)} lists "{kind}", which is deprecated. Use {successor}.')


_MOVED = {"saturationDetector": "flowControl.saturationDetector", "parser": "requestHandler.parsers"}


def _current(config: PickerConfiguration) -> bool:
    """Whether a release reads it that knows plugin states and has the plugins of the facts."""
    build = config.build
    return build is not None and build.family == "llm-d" and (build.version or (0, 0, 0)) >= _EXPERIMENTAL_SINCE


def _start(config: PickerConfiguration) -> str:
    text = str(config)
    return text[:1].upper() + text[1:]
