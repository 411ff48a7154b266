from inference.facts.endpoint_picker import CONFIG_FIELDS, PLUGINS, PORTS, plugins_of


def test_every_plugin_has_one_role() -> None:
    assert sum(len(plugins_of(role)) for role in {p.role for p in PLUGINS.values()}) == len(PLUGINS)


def test_the_states_are_those_that_the_release_registers() -> None:
    # github.com/llm-d/llm-d-router tag v0.10.0 cmd/epp/runner/runner.go
    assert PLUGINS["queue-scorer"].state == "beta"
    assert PLUGINS["session-affinity-scorer"].state == "alpha"
    assert set(plugins_of("handler", "deprecated")) == {
        "pd-profile-handler",
        "disagg-headers-handler",
        "prefill-header-handler",
    }
    assert plugins_of("picker") == plugins_of("picker", "beta")


def test_what_is_deprecated_names_what_to_use() -> None:
    deprecated = [p for p in PLUGINS.values() if p.state == "deprecated"]
    assert deprecated
    assert all(p.replaced_by in PLUGINS for p in deprecated)
    assert all(PLUGINS[p.replaced_by].state == "beta" for p in deprecated if p.replaced_by)


def test_ports_and_fields_are_as_published() -> None:
    assert PORTS == {"ext_proc": 9002, "grpc_health": 9003, "metrics": 9090}
    assert {"plugins", "schedulingProfiles", "featureGates", "flowControl"} < CONFIG_FIELDS
