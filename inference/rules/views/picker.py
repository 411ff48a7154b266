"""The endpoint picker: the process that runs it, and the configurations that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import yaml

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.endpoint_picker import CONFIG_KIND, EXPERIMENTAL_FLAG, PORTS
from inference.rules.views.helm import HelmRelease
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.shell import Script
from inference.rules.views.values import Props

__all__ = ["Picker", "PickerBuild", "PickerConfiguration"]

Family = Literal["llm-d", "gaie"]

_UPSTREAM: tuple[tuple[re.Pattern[str], Family], ...] = (
    (re.compile(r"(?:.*/)?llm-d(?:-router-endpoint-picker|-inference-scheduler)"), "llm-d"),
    (re.compile(r"(?:.*/)?gateway-api-inference-extension/epp"), "gaie"),
)
_LOOKS_LIKE = re.compile(r"(?:.*[/-])?(?:epp|endpoint-picker)")
_TAG = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+.]\S*)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_LONGEST = 100_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class PickerBuild:
    """Which picker an image holds, as far as its reference tells."""

    family: Family | None
    """Project that built it; ``None`` for a build of somebody's own."""
    version: tuple[int, int, int] | None

    def older_than(self, family: Family, *version: int) -> bool:
        """Whether it is certainly a build of this project before a version."""
        return self.family == family and self.version is not None and self.version < version


def _build_of_image(image: str | None) -> PickerBuild:
    """Return what an image reference tells of the picker in it."""
    name, _, tag = (image or "").partition("@")[0].rpartition(":")
    if "/" in tag or not name:
        name, tag = f"{name}:{tag}" if name else tag, ""
    match = _TAG.fullmatch(tag)
    version = (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
    for pattern, family in _UPSTREAM:
        if pattern.fullmatch(name):
            return PickerBuild(family, version)
    return PickerBuild(None, version)


@dataclass(frozen=True, eq=False)
class Picker:
    """A container that runs an endpoint picker."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    container: Container

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the pickers among the containers of a resource."""
        found = []
        for pod in resource.view(PodTemplate.of):
            for container in pod.containers:
                picker = cls(container)
                name = (container.image or "").partition("@")[0].rpartition(":")[0] or container.image or ""
                if picker.build.family or _LOOKS_LIKE.fullmatch(name) or picker.names_pool:
                    found.append(picker)
        return tuple(found)

    @property
    def pod(self) -> PodTemplate:
        return self.container.pod

    @cached_property
    def build(self) -> PickerBuild:
        """What its image tells."""
        return _build_of_image(self.container.image)

    @cached_property
    def flags(self) -> Mapping[str, str]:
        """Options by their name in kebab case and without dashes; ``true`` for one without a value."""
        commands = Script.of(self.container).commands
        words = max((command.argv for command in commands), key=_dashes, default=())
        return _flags([str(word) for word in words])

    @property
    def names_pool(self) -> bool:
        """Whether it is told an InferencePool, as only pickers are."""
        words = (word for command in Script.of(self.container).commands for word in command.argv)
        return any("pool" in word.lower() for word in words) and "pool-name" in self.flags

    def port(self, flag: str, default: int) -> int | None:
        """Return a port that an option sets, ``None`` where it is no number."""
        value = self.flags.get(flag, str(default))
        return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None

    @property
    def ext_proc_port(self) -> int | None:
        """Port on which the load balancer calls it."""
        return self.port("grpc-port", PORTS["ext_proc"])

    @property
    def experimental(self) -> bool:
        """Whether alpha plugins are allowed."""
        return self.flags.get(EXPERIMENTAL_FLAG.removeprefix("--"), "false").lower() != "false"

    def __str__(self) -> str:
        return str(self.container)


def _dashes(words: Any) -> int:
    return sum(str(word).startswith("-") for word in words)


def _flags(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        if not word.startswith("-") or not word.strip("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = _CAMEL.sub(lambda match: "-" + match.group(1), name).lower().replace("_", "-")
        following = words[at + 1] if at + 1 < len(words) else "-"
        found[name] = value if equals else "true" if following.startswith("-") else following
    return found


@dataclass(frozen=True, eq=False)
class PickerConfiguration:
    """One configuration of an endpoint picker, wherever it is written."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    resource: Resource
    label: str
    document: Props
    error: str = ""
    """Why it cannot be read, empty where it can."""
    build: PickerBuild | None = None
    """The picker that reads it, ``None`` where the resource does not tell."""
    experimental: bool | None = None
    """Whether that picker allows alpha plugins, ``None`` where the resource does not tell."""
    key: str = ""
    """Key of the ConfigMap it is written under."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the configurations in a ConfigMap, a command line, chart values or an LLMInferenceService."""
        return tuple(cls._found(resource))

    @classmethod
    def _found(cls, resource: Resource) -> Iterator[Self]:
        for release in resource.view(HelmRelease.of):
            yield from cls._of_release(release)
        for thing in resource.view(KubernetesObject.of):
            if thing.is_a("ConfigMap", ""):
                for key, text in thing.props.strings("data").items():
                    yield from cls._of_text(resource, f'the configuration "{key}" in {thing}', text, None, None, key)
            elif thing.group == KSERVE_GROUP and thing.kind.startswith("LLMInferenceService"):
                yield from cls._of_scheduler(thing)
        for picker in resource.view(Picker.of):
            if written := picker.flags.get("config-text"):
                label = f"the configuration in {_lowered(picker)}"
                yield from cls._of_text(resource, label, written, picker.build, picker.experimental)

    @classmethod
    def _of_release(cls, release: HelmRelease) -> Iterator[Self]:
        for place in (("router", "epp"), ("inferenceExtension",)):
            values = release.values.section(*place)
            image = values.section("image")
            known = release.whole and values.known("flags")
            allowed = values.section("flags").flag(EXPERIMENTAL_FLAG.removeprefix("--"))
            build = _chart_build(release, image)
            for name, text in values.strings("pluginsCustomConfig").items():
                label = f'the configuration "{name}" in the values of {release}'
                yield from cls._of_text(release.resource, label, text, build, bool(allowed) if known else None)

    @classmethod
    def _of_scheduler(cls, thing: KubernetesObject) -> Iterator[Self]:
        scheduler = thing.spec.section("router", "scheduler")
        containers = [Container(None, c) for c in scheduler.sections("template", "containers")]  # type: ignore[arg-type]
        images = [container.image for container in containers if _build_of_image(container.image).family]
        build = _build_of_image(images[0]) if images else None
        inline = scheduler.raw("config", "inline")
        label = f"the scheduler configuration of {thing}"
        if isinstance(inline, Mapping) and inline:
            yield cls(thing.resource, label, Props(inline), build=build)
        elif isinstance(inline, str):
            yield from cls._of_text(thing.resource, label, inline, build, None)
        for container in containers:
            if written := _flags(list(container.command)).get("config-text"):
                yield from cls._of_text(thing.resource, label, written, build, None)

    @classmethod
    def _of_text(
        cls,
        resource: Resource,
        label: str,
        text: str,
        build: PickerBuild | None,
        experimental: bool | None,  # noqa: FBT001 - three answers, not a switch
        key: str = "",
    ) -> Iterator[Self]:
        if CONFIG_KIND not in text and not ("schedulingProfiles" in text and "plugins" in text):
            return
        document, error = _read(text)
        yield cls(resource, label, document, error, build, experimental, key)

    # Content

    @cached_property
    def plugins(self) -> tuple[tuple[str, str], ...]:
        """Name and type of every plugin; the name is the type where none is given."""
        return tuple(
            (entry.text("name") or entry.text("type") or "", entry.text("type") or "")
            for entry in self.document.sections("plugins")
        )

    @cached_property
    def profiles(self) -> tuple[Props, ...]:
        """Scheduling profiles."""
        return self.document.sections("schedulingProfiles")

    def parameters(self, plugin: str) -> Iterator[Props]:
        """Yield the parameters of the plugins of a type."""
        for entry in self.document.sections("plugins"):
            if entry.text("type") == plugin:
                yield entry.section("parameters")

    def __str__(self) -> str:
        return self.label


def _lowered(picker: Picker) -> str:
    text = str(picker)
    return text[:1].lower() + text[1:]


def _chart_build(release: HelmRelease, image: Props) -> PickerBuild | None:
    """Return the picker that a router chart runs: of the image in its values, else of the chart's own version."""
    if not release.whole:
        return None
    parts = [image.text(key) for key in ("registry", "hub", "repository", "name")]
    written = "/".join(part for part in parts if part)
    tag = image.text("tag") or release.version or ""
    if written and not image.absent("repository"):
        return _build_of_image(f"{written}:{tag}")
    family: Family = "gaie" if release.chart == "inferencepool" else "llm-d"
    match = _TAG.fullmatch(tag)
    return PickerBuild(family, (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None)


def _read(text: str) -> tuple[Props, str]:
    if len(text) > _LONGEST:
        return Props({}), ""
    try:
        found = yaml.load(text, Loader=_LOADER)  # noqa: S506 - the safe loader, compiled where there is one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Props({}), " ".join(str(error).split())[:200] or "it is no YAML"
    if not isinstance(found, Mapping):
        return Props({}), "it is not a map"
    return Props({str(key): value for key, value in found.items()}), ""
