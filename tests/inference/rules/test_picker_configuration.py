from __future__ import annotations

from typing import Any

import pytest
import yaml

from inference.rules.framework import Rule
from inference.rules.picker_configuration import (
    alpha_plugins_allowed,
    config_not_deprecated,
    config_readable,
    plugins_of_its_build,
    plugins_well_formed,
    profiles_have_handler,
    references_resolve,
    weights_on_scorers,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, custom, findings, resource
from tests.inference.rules.gateway_cases import PLUGINS, picker, picker_config, release

GAIE = "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0"
OLD_API = "inference.networking.x-k8s.io/v1alpha1"
ROUTER = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway"
ALL = (
    config_readable,
    plugins_well_formed,
    references_resolve,
    profiles_have_handler,
    weights_on_scorers,
    plugins_of_its_build,
    alpha_plugins_allowed,
    config_not_deprecated,
)


def document(**changes: Any) -> dict[str, Any]:
    return changed(yaml.safe_load(PLUGINS), changes)


def places(body: dict[str, Any]) -> list[tuple[Resource, ...]]:
    """Return programs that write one configuration in all the places where it can be."""
    text = yaml.safe_dump(body)
    inline = {"router": {"scheduler": {"config": {"inline": body}}}}
    values = {"router": {"epp": {"pluginsCustomConfig": {"custom.yaml": text}}}}
    older = {"inferenceExtension": {"pluginsCustomConfig": {"custom.yaml": text}}}
    return [
        (picker_config(text), picker()),
        (picker({"args": ["--pool-name=vllm", "--config-text", text]}),),
        (picker({"args": [f"--configText={text}"]}),),
        (release("vllm", ROUTER, values),),
        (release("vllm", ROUTER, older),),
        (custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", inline),),
    ]


def told(rule: Rule, **changes: Any) -> list[str]:
    return findings(rule, picker_config(yaml.safe_dump(document(**changes))), picker())


@pytest.mark.parametrize("rule", ALL)
def test_a_right_configuration_is_silent_everywhere(rule: Rule) -> None:
    for program in places(document()):
        assert findings(rule, *program) == []


@pytest.mark.parametrize("place", range(6))
def test_a_slip_is_found_wherever_it_is_written(place: int) -> None:
    slip = document(schedulingProfiles=[{"name": "default", "plugins": [{"pluginRef": "queue-scorrer"}]}])

    assert len(findings(references_resolve, *places(slip)[place])) == 1


class TestReadable:
    @pytest.mark.parametrize(
        "text",
        [
            "kind: EndpointPickerConfig\nplugins: [",
            "kind: EndpointPickerConfig\n\tplugins: x",
            "# EndpointPickerConfig\n- a list",
        ],
    )
    def test_what_is_no_yaml_map_is_found(self, text: str) -> None:
        assert len(findings(config_readable, picker_config(text))) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"apiVersion": None},
            {"kind": None},
            {"apiVersion": "inference.networking.k8s.io/v1"},
            {"schedulingprofiles": []},
            {"scorers": []},
            {
                "schedulingProfiles": [
                    {"name": "default", "plugins": [{"pluginRef": "queue-scorer", "weight": "2"}]},
                ]
            },
        ],
    )
    def test_what_strict_decoding_refuses_is_found(self, changes: dict[str, Any]) -> None:
        assert len(told(config_readable, **changes)) == 1

    def test_the_older_picker_reads_the_older_version_only(self) -> None:
        for api, count in (("llm-d.ai/v1alpha1", 1), (OLD_API, 0)):
            text = yaml.safe_dump(document(apiVersion=api))
            assert len(findings(config_readable, picker({"image": GAIE, "args": ["--config-text", text]}))) == count

    def test_other_config_maps_and_unknown_texts_are_silent(self) -> None:
        named = {"metadata": {"name": "other", "namespace": "serving"}}
        for data in ({"prometheus.yaml": "a: ["}, {"plugins.yaml": UNKNOWN}, UNKNOWN):
            config = resource("kubernetes:core/v1:ConfigMap", "other", {**named, "data": data})
            assert findings(config_readable, config) == []


class TestPlugins:
    @pytest.mark.parametrize(
        "plugin", [{"type": "queue-scorer"}, {"name": "queue"}, {"type": "queue-scorers"}, {"type": "max_score_picker"}]
    )
    def test_duplicates_gaps_and_typos_are_found(self, plugin: dict[str, str]) -> None:
        assert len(told(plugins_well_formed, plugins=[*document()["plugins"], plugin])) == 1

    def test_two_plugins_of_a_type_with_names_are_silent(self) -> None:
        twice = [{"type": "label-selector-filter", "name": name} for name in ("a", "b")]

        assert told(plugins_well_formed, plugins=[*document()["plugins"], *twice]) == []

    @pytest.mark.parametrize("kind", ["acme-cost-oracle", "low-queue-filter"])
    def test_a_type_that_a_published_picker_lacks_is_found(self, kind: str) -> None:
        assert len(told(plugins_of_its_build, plugins=[*document()["plugins"], {"type": kind}])) == 1

    def test_a_picker_of_somebodys_own_may_hold_anything(self) -> None:
        text = yaml.safe_dump(document(plugins=[*document()["plugins"], {"type": "acme-cost-oracle"}]))
        own = picker({"image": "europe-docker.pkg.dev/acme/llm/epp:v1.0.0"})

        assert findings(plugins_of_its_build, picker_config(text), own) == []
        assert findings(plugins_of_its_build, picker_config(text)) == []


class TestReferences:
    @pytest.mark.parametrize(
        "changes",
        [
            {"schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "lora-affinity-scorer"}]}]},
            {"dataLayer": {"sources": [{"pluginRef": "metrics-data-source", "extractors": []}]}},
            {"dataLayer": {"discovery": {"pluginRef": "file-discovery"}}},
            {"flowControl": {"saturationDetector": {"pluginRef": "concurrency-detector"}}},
            {"flowControl": {"priorityBands": [{"fairnessPolicyRef": "round-robin-fairness-policy"}]}},
            {"saturationDetector": {"pluginRef": "concurrency-detector"}},
        ],
    )
    def test_a_reference_to_what_is_not_listed_is_found(self, changes: dict[str, Any]) -> None:
        assert len(told(references_resolve, **changes)) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"requestHandler": {"parsers": [{"pluginRef": "openai-parser"}]}},
            {"flowControl": {"saturationDetector": {"pluginRef": "utilization-detector"}}},
            {
                "plugins": [{"type": "queue-scorer", "name": "a"}],
                "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "a"}]}],
            },
        ],
    )
    def test_what_registers_itself_or_is_named_is_silent(self, changes: dict[str, Any]) -> None:
        assert told(references_resolve, **changes) == []

    def test_the_deciders_of_a_handler_count(self) -> None:
        handler = {"type": "disagg-profile-handler", "parameters": {"deciders": {"prefill": "prefix-based-pd-decider"}}}
        plugins = [*document()["plugins"], handler]

        assert len(told(references_resolve, plugins=plugins)) == 1
        assert told(references_resolve, plugins=[*plugins, {"type": "prefix-based-pd-decider"}]) == []


class TestProfiles:
    TWO = [{"name": "prefill", "plugins": []}, {"name": "decode", "plugins": []}]

    @pytest.mark.parametrize(
        "handlers", [[], ["single-profile-handler"], ["disagg-profile-handler", "pd-profile-handler"]]
    )
    def test_two_profiles_without_one_fitting_handler_are_found(self, handlers: list[str]) -> None:
        plugins = [*document()["plugins"], *({"type": handler} for handler in handlers)]

        assert len(told(profiles_have_handler, plugins=plugins, schedulingProfiles=self.TWO)) == 1

    def test_two_profiles_of_one_name_are_found(self) -> None:
        plugins = [*document()["plugins"], {"type": "disagg-profile-handler"}]
        same = [{"name": "default", "plugins": []}] * 2

        assert len(told(profiles_have_handler, plugins=plugins, schedulingProfiles=same)) == 1

    @pytest.mark.parametrize("extra", [["disagg-profile-handler", "disagg-headers-handler"], ["acme-plugin"]])
    def test_a_handler_or_a_plugin_that_may_be_one_is_silent(self, extra: list[str]) -> None:
        plugins = [*document()["plugins"], *({"type": kind} for kind in extra)]

        assert told(profiles_have_handler, plugins=plugins, schedulingProfiles=self.TWO) == []


def test_a_weight_on_a_picker_is_found() -> None:
    weighed = [{"name": "default", "plugins": [{"pluginRef": "max-score-picker", "weight": 1}]}]

    assert len(told(weights_on_scorers, schedulingProfiles=weighed)) == 1


class TestAlpha:
    PLUGIN = {"type": "session-affinity-scorer"}

    def program(self, changes: dict[str, Any]) -> list[str]:
        text = yaml.safe_dump(document(plugins=[*document()["plugins"], self.PLUGIN]))
        return findings(alpha_plugins_allowed, picker_config(text), picker(changes))

    def test_an_alpha_plugin_without_the_option_is_found(self) -> None:
        assert len(self.program({})) == 1
        assert len(self.program({"args": ["--allow-experimental-plugins=false"]})) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"args": ["--allow-experimental-plugins"]},
            {"args": ["--allow-experimental-plugins=true"]},
            {"image": "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.9.0"},
            {"image": GAIE},
        ],
    )
    def test_the_option_or_a_picker_without_states_is_silent(self, changes: dict[str, Any]) -> None:
        assert self.program(changes) == []

    @pytest.mark.parametrize(("flags", "count"), [({}, 1), ({"allow-experimental-plugins": True}, 0), (UNKNOWN, 0)])
    def test_the_flags_of_a_chart_count(self, flags: object, count: int) -> None:
        text = yaml.safe_dump(document(plugins=[*document()["plugins"], self.PLUGIN]))
        epp = {"pluginsCustomConfig": {"custom.yaml": text}, "flags": flags}

        assert len(findings(alpha_plugins_allowed, release("vllm", ROUTER, {"router": {"epp": epp}}))) == count


@pytest.mark.parametrize(
    "changes",
    [
        {"apiVersion": OLD_API},
        {"saturationDetector": {"pluginRef": "utilization-detector"}},
        {"plugins": [{"type": "by-label"}]},
    ],
)
def test_what_the_next_release_removes_is_found_with_a_current_picker_only(changes: dict[str, Any]) -> None:
    text = yaml.safe_dump(document(**changes))

    assert len(told(config_not_deprecated, **changes)) == 1
    assert findings(config_not_deprecated, picker_config(text), picker({"image": GAIE})) == []
    assert findings(config_not_deprecated, picker_config(text)) == []
