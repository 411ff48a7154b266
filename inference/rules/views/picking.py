"""Who reads which picker configuration, and for which model servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from inference.facts.endpoint_picker import POOL_GROUP
from inference.rules.views.gateway import InferencePool
from inference.rules.views.helm import HelmRelease
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.picker import Picker, PickerConfiguration
from inference.rules.views.pods import PodTemplate
from inference.rules.views.routing import servers_in
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack

__all__ = ["configurations", "servers_of_configuration", "servers_of_picker"]


def configurations(stack: Stack) -> tuple[PickerConfiguration, ...]:
    """Return every configuration; those in ConfigMaps with what the pods that mount them tell of the picker."""
    return stack.view(_configurations)


def servers_of_picker(stack: Stack, picker: Picker) -> tuple[ModelServer, ...]:
    """Return the model servers among which a picker chooses: of the pool it names, else all of its namespace."""
    pool = picker.flags.get("pool-name")
    namespace = picker.flags.get("pool-namespace", picker.pod.namespace)
    found = stack.object("InferencePool", POOL_GROUP, pool, namespace) if pool else None
    if found is not None:
        return servers_in(found.resource.view(InferencePool.of)[0].pods(stack))
    return stack.view(_servers_by_namespace).get(picker.pod.namespace, ())


def servers_of_configuration(stack: Stack, config: PickerConfiguration) -> tuple[ModelServer, ...]:
    """Return the model servers among which the readers of a configuration choose."""
    for release in config.resource.view(HelmRelease.of):
        labels = release.values.strings("router", "modelServers", "matchLabels") or release.values.strings(
            "inferencePool", "modelServers", "matchLabels"
        )
        return servers_in(stack.pods_matching(labels, release.namespace or ""))
    for thing in config.resource.view(KubernetesObject.of):
        if thing.kind == "LLMInferenceService":
            return servers_in(config.resource.view(PodTemplate.of))
        if thing.kind == "ConfigMap":
            readers = _readers(stack, thing)
            return tuple(server for picker in readers for server in servers_of_picker(stack, picker))
    return tuple(s for picker in config.resource.view(Picker.of) for s in servers_of_picker(stack, picker))


def _configurations(stack: Stack) -> tuple[PickerConfiguration, ...]:
    return tuple(_resolved(stack, config) for config in stack.each(PickerConfiguration))


def _resolved(stack: Stack, config: PickerConfiguration) -> PickerConfiguration:
    if config.build is not None or not config.key:
        return config
    for thing in config.resource.view(KubernetesObject.of):
        for picker in _readers(stack, thing):
            return replace(config, build=picker.build, experimental=picker.experimental)
    return config


def _readers(stack: Stack, config_map: KubernetesObject) -> tuple[Picker, ...]:
    """Return the pickers whose pods mount a ConfigMap."""
    if config_map.name is None:
        return ()
    return stack.view(_by_config_map).get((config_map.namespace, config_map.name), ())


def _by_config_map(stack: Stack) -> dict[tuple[str, str], tuple[Picker, ...]]:
    found: dict[tuple[str, str], list[Picker]] = {}
    for picker in stack.each(Picker):
        for name in _mounted(picker.pod):
            found.setdefault((picker.pod.namespace, name), []).append(picker)
    return {place: tuple(pickers) for place, pickers in found.items()}


def _mounted(pod: PodTemplate) -> Iterator[str]:
    for volume in pod.spec.sections("volumes"):
        for source in (volume, *volume.sections("projected", "sources")):
            if name := source.text("configMap", "name"):
                yield name


def _servers_by_namespace(stack: Stack) -> dict[str, tuple[ModelServer, ...]]:
    found: dict[str, list[ModelServer]] = {}
    for server in stack.each(ModelServer):
        found.setdefault(server.pod.namespace, []).append(server)
    return {namespace: tuple(servers) for namespace, servers in found.items()}
