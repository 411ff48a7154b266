"""Workloads with what their ConfigMaps hold: variables, scripts that they run, configuration files of the server.

One resource alone does not tell them; the stack does. Pods that read nothing of the kind are left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import yaml

from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props, Secret

__all__ = ["completed"]

_Files = Mapping[str, str]
_Map = dict[str, Any]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_CALL = r"(^|;|&&|\bthen\b|\bdo\b)[ \t]*(?:exec[ \t]+)?(?:(source|\.|bash|sh)[ \t]+)?{}[ \t]*(?=$|;|&&)"
"""A line of a script that runs a file, or reads it in, and does no more."""
_CONFIG = re.compile(r"--config[=\s]+([^\s'\"]+)")
_LONGEST, _DEPTH = 100_000, 12


def completed(stack: Stack) -> tuple[tuple[Resource, Resource], ...]:
    """Return each workload that ConfigMaps of the program complete, and what it becomes."""
    return stack.view(_completed)


def _completed(stack: Stack) -> tuple[tuple[Resource, Resource], ...]:
    maps: dict[str, dict[str, _Files]] = defaultdict(dict)
    for thing in stack.objects("ConfigMap", ""):
        if thing.placed and thing.name is not None and (texts := _texts(thing)):
            maps[thing.namespace][thing.name] = texts
    if not maps:
        return ()
    touched = dict.fromkeys(pod.object.resource for pod in stack.pods() if _reads(pod))
    found: list[tuple[Resource, Resource]] = []
    for resource in touched:
        pod = resource.view(PodTemplate.of)[0]
        here = maps.get(pod.namespace)
        props = dict(resource.props.items())
        if here and (made := _rewritten(props, here, _DEPTH)) is not props:
            found.append((resource, replace(resource, props=Props(made), _views={})))
    return tuple(found)


def _texts(thing: KubernetesObject) -> dict[str, str]:
    data = thing.props.section("data")
    return {key: value for key, value in data.items() if isinstance(value, str) and len(value) <= _LONGEST}


def _reads(pod: PodTemplate) -> bool:
    """Whether pods take variables or files from a ConfigMap."""
    if any(not volume.absent("configMap") or not volume.absent("projected") for volume in pod.spec.sections("volumes")):
        return True
    return any(_takes_variables(container) for container in pod.all_containers)


def _takes_variables(container: Container) -> bool:
    entries = container.props.sections("env")
    return not container.props.absent("envFrom") or any(
        entry.section("valueFrom", "configMapKeyRef") for entry in entries
    )


def _rewritten(value: Any, maps: Mapping[str, _Files], depth: int) -> Any:
    """Return a value with its pod specs completed; the same one where nothing changes."""
    if depth == 0 or isinstance(value, Secret):
        return value
    if isinstance(value, list):
        items = [_rewritten(item, maps, depth - 1) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if not isinstance(value, Mapping):
        return value
    made = {key: _rewritten(item, maps, depth - 1) for key, item in value.items()}
    if isinstance(value.get("containers"), list):
        volumes = dict(_volumes(Props(value), maps))
        for place in ("containers", "initContainers"):
            if isinstance(value.get(place), list):
                made[place] = [_container(item, volumes, maps) for item in value[place]]
                if all(a is b for a, b in zip(made[place], value[place], strict=True)):
                    made[place] = value[place]
    return made if any(made[key] is not item for key, item in value.items()) else value


def _volumes(spec: Props, maps: Mapping[str, _Files]) -> Iterator[tuple[str, _Files]]:
    """Yield the volumes of a pod that hold texts of ConfigMaps, with their files."""
    for volume in spec.sections("volumes"):
        files: dict[str, str] = {}
        for source in (volume, *volume.sections("projected", "sources")):
            texts = maps.get(source.text("configMap", "name") or "", {})
            items = {i.text("key") or "": i.text("path") or "" for i in source.sections("configMap", "items")}
            files |= {items[key] if items else key: text for key, text in texts.items() if not items or key in items}
        if files and (name := volume.text("name")):
            yield name, files


def _container(value: Any, volumes: Mapping[str, _Files], maps: Mapping[str, _Files]) -> Any:
    """Return a container with its variables and scripts filled in; the same one where nothing changes."""
    if not isinstance(value, Mapping):
        return value
    props = Props(value)
    made = dict(value) | _variables(props, maps)
    files = dict(_mounted(props, volumes))
    line = [*_words(value.get("command")), *_words(value.get("args"))]
    if files and (words := _with_files(line, files)) != line:
        whole = value.get("command") is not None
        made |= {"command": words, "args": []} if whole else {"args": words}
    return made if made != dict(value) else value


def _words(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _variables(props: Props, maps: Mapping[str, _Files]) -> _Map:
    """Return ``env`` and ``envFrom`` as they are with the values of ConfigMaps."""
    env, sources = _words(props.raw("env")), _words(props.raw("envFrom"))
    known: list[Any] = []
    for entry in env:
        plain = Props(entry)
        reference = plain.section("valueFrom", "configMapKeyRef")
        text = maps.get(reference.text("name") or "", {}).get(reference.text("key") or "")
        known.append(entry if text is None else {"name": plain.raw("name"), "value": _literal(text)})
    names = {Props(entry).text("name") for entry in env}
    left: list[Any] = []
    first: list[_Map] = []
    for source in sources:
        texts = maps.get(Props(source).text("configMapRef", "name") or "")
        if texts is None:
            left.append(source)
            continue
        prefix = Props(source).text("prefix") or ""
        first += [{"name": prefix + key, "value": _literal(text)} for key, text in texts.items()]
    found: _Map = {}
    if first or known != env:
        found["env"] = [*(entry for entry in first if entry["name"] not in names), *known]
    if len(left) != len(sources):
        found["envFrom"] = left or None
    return found


def _literal(text: str) -> str:
    """Return a text that the kubelet hands on as it is."""
    return text.replace("$(", "$$(")


def _mounted(props: Props, volumes: Mapping[str, _Files]) -> Iterator[tuple[str, str]]:
    """Yield path and text of the files that a container sees."""
    for mount in props.sections("volumeMounts"):
        files, place = volumes.get(mount.text("name") or "", {}), (mount.text("mountPath") or "").rstrip("/")
        below = mount.text("subPath")
        for path, text in files.items():
            if below is None:
                yield f"{place}/{path}", text
            elif below == path:
                yield place, text


def _with_files(line: Sequence[Any], files: _Files) -> list[Any]:
    """Return a command line with its script in place, and with the options of a configuration file."""
    if not all(isinstance(word, str) for word in line):
        return list(line)
    words: list[str] = [*line]
    shell = bool(words) and words[0].rpartition("/")[2] in _SHELLS
    at = next((n for n in range(1, len(words)) if not words[n].startswith("-")), 0) if shell else 0
    if shell and at and any("c" in word for word in words[1:at] if not word.startswith("--")):
        words[at] = _inlined(words[at], files)
    elif words and words[at] in files and at < len(words):
        text = _inlined(_literal(files[words[at]]), files)
        return [words[0] if shell else "bash", "-c", text, *words[at:]]
    return list(_with_options(words, files))


def _inlined(text: str, files: _Files) -> str:
    """Return a script with the scripts that it runs in their places."""
    for path, script in files.items():
        if path in text:
            text = re.sub(_CALL.format(re.escape(path)), partial(_block, script), text, flags=re.MULTILINE)
    return _CONFIG.sub(lambda match: " ".join(_options(files.get(match[1]), text) or [match[0]]), text)


def _block(body: str, match: re.Match[str]) -> str:
    before, after = ("{", "}") if match[2] in ("source", ".") else ("(", ")")
    return f"{match[1]} {before}\n{_literal(body)}\n{after}"


def _with_options(words: Sequence[str], files: _Files) -> Iterator[str]:
    """Yield words, those of a file that --config names in its place."""
    named = False
    for position, word in enumerate(words):
        path = (
            words[position + 1] if word == "--config" and position + 1 < len(words) else word.removeprefix("--config=")
        )
        if named:
            named = False
        elif word.startswith("--config") and (options := _options(files.get(path), " ".join(words))) is not None:
            named = word == "--config"
            yield from options
        else:
            yield word


def _options(text: str | None, given: str) -> list[str] | None:
    """Return the options of a configuration file that a command line does not set itself."""
    try:
        found = yaml.load(text, _LOADER) if text is not None else None  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    words: list[str] = []
    for key, value in found.items():
        name = f"--{str(key).replace('_', '-')}"
        if re.search(rf"{re.escape(name)}(?:[=\s]|$)", given) or isinstance(value, dict):
            continue
        if isinstance(value, bool):
            words += [name] if value else []
        else:
            words += [name, *(str(item) for item in (value if isinstance(value, list) else [value]))]
    return words
