"""Files of ConfigMaps: what a container starts with has to be in the map that is mounted there.

A ConfigMap is mounted as a directory with a file for each key. A script or a configuration that is called otherwise
than its key is simply not there, and nobody says so before the container starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from inference.rules.framework import About, Severity, rule
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.shell import Script
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_FILE = re.compile(r"[\w.-]+\.[a-zA-Z0-9]+")
"""A name with an ending: others may be directories, or prefixes that a program completes."""


@rule(
    "config-mounted-file-exists",
    title="A file that a container is started with is in the ConfigMap mounted there",
    breaks="'No such file or directory' as soon as the container starts, again and again, on nodes with accelerators "
    "that were made for it.",
    fix="Name the file as the key of the ConfigMap, or map the key to a path under items.",
    source="https://kubernetes.io/docs/concepts/storage/volumes/#configmap",
    severity=Severity.HIGH,
)
def mounted_file_exists(stack: Stack) -> Iterator[About]:
    maps = stack.view(_maps)
    for pod in stack.pods() if maps else ():
        volumes = dict(_volumes(pod, maps))
        for container in pod.all_containers if volumes else ():
            for path, thing, names in _missing(container, volumes):
                shown = ", ".join(sorted(names)[:5])
                yield About(
                    pod.object.resource,
                    f"{container} is started with {path}, and {thing}, which is mounted there, has {shown}; the file "
                    "is not there and the container ends. Use one of these names.",
                )


def _maps(stack: Stack) -> Mapping[tuple[str, str], KubernetesObject]:
    """Return the ConfigMaps all of whose keys are known."""
    return {
        (thing.namespace, thing.name): thing
        for thing in stack.objects("ConfigMap", "")
        if thing.placed and thing.name is not None and thing.props.known("data") and thing.props.known("binaryData")
    }


_Volumes = Mapping[str, tuple[KubernetesObject, frozenset[str]]]


def _volumes(
    pod: PodTemplate, maps: Mapping[tuple[str, str], KubernetesObject]
) -> Iterator[tuple[str, tuple[KubernetesObject, frozenset[str]]]]:
    for volume in pod.spec.sections("volumes"):
        thing = maps.get((pod.namespace, volume.text("configMap", "name") or ""))
        name, items = volume.text("name"), volume.section("configMap")
        if thing is None or name is None or not items.known("items"):
            continue
        paths = [item.text("path") for item in items.sections("items")]
        keys = [*thing.props.section("data"), *thing.props.section("binaryData")]
        names = frozenset(path for path in paths if path) if paths else frozenset(keys)
        if names:
            yield name, (thing, names)


def _missing(container: Container, volumes: _Volumes) -> Iterator[tuple[str, KubernetesObject, frozenset[str]]]:
    mounts = container.props.sections("volumeMounts")
    places = [(mount.text("mountPath") or "").rstrip("/") for mount in mounts]
    words = {str(word) for command in Script.of(container).commands for word in command.argv if word.known}
    for mount, place in zip(mounts, places, strict=True):
        found = volumes.get(mount.text("name") or "")
        if found is None or not place or not _whole(mount):
            continue
        for path in sorted(words):
            written = path.partition("=")[2] if path.startswith("-") else path
            name = written.removeprefix(f"{place}/")
            beneath = any(len(other) > len(place) and f"{written}/".startswith(f"{other}/") for other in places)
            if name != written and not beneath and _FILE.fullmatch(name) and name not in found[1]:
                yield written, *found


def _whole(mount: Props) -> bool:
    return mount.absent("subPath") and mount.absent("subPathExpr")
