"""Model servers whose command line or variables stand in a ConfigMap."""

from __future__ import annotations

from typing import Any

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.cases import container, deployment, judge, resource

SERVE = "vllm serve Qwen/Qwen2.5-7B-Instruct --max-model-len 8192 --port 8000"
SCRIPTS = {"volumes": [{"name": "scripts", "configMap": {"name": "cfg", "defaultMode": 493}}]}
MOUNT = {"name": "scripts", "mountPath": "/scripts"}


def config(data: Any, name: str = "cfg", namespace: str = "serving") -> Resource:
    metadata = {"name": name, "namespace": namespace}
    return resource(
        "kubernetes:core/v1:ConfigMap",
        name,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
    )


def runs(*command: str, mount: dict[str, Any] = MOUNT, volumes: dict[str, Any] = SCRIPTS) -> Resource:
    changes = {"command": list(command), "args": None, "volumeMounts": [mount]}
    return deployment(containers=[container(changes)], pod=volumes)


def of_sizes(*made: Resource) -> list[str]:
    return judge(*made).get("vllm-sizes-fill-accelerators", [])


@pytest.mark.parametrize(
    "command",
    [
        ("/scripts/run.sh",),
        ("bash", "/scripts/run.sh"),
        ("/bin/sh", "-e", "/scripts/run.sh", "extra"),
        ("bash", "-c", "set -e\nexec /scripts/run.sh"),
        ("bash", "-c", "echo start; source /scripts/run.sh && wait"),
    ],
)
@pytest.mark.parametrize("shebang", ["", "#!/bin/bash\nset -euo pipefail\n"])
def test_a_script_of_a_config_map_is_read(command: tuple[str, ...], shebang: str) -> None:
    wrong = config({"run.sh": f"{shebang}exec {SERVE} \\\n  --tensor-parallel-size 2\n"})
    (found,) = of_sizes(runs(*command), wrong)
    assert "tensor 2" in found
    assert of_sizes(runs(*command), config({"run.sh": f"{shebang}{SERVE}\n"})) == []


def test_items_projections_and_single_files_are_followed() -> None:
    wrong = config({"start": f"{SERVE} -tp 2"})
    items = {"configMap": {"name": "cfg", "items": [{"key": "start", "path": "bin/go.sh"}]}}
    named = {"volumes": [{"name": "scripts", **items}]}
    projected = {"volumes": [{"name": "scripts", "projected": {"sources": [items]}}]}
    single = {"name": "scripts", "mountPath": "/go.sh", "subPath": "start"}
    assert of_sizes(runs("sh", "/scripts/bin/go.sh", volumes=named), wrong)
    assert of_sizes(runs("sh", "/scripts/bin/go.sh", volumes=projected), wrong)
    assert of_sizes(runs("sh", "/go.sh", mount=single), wrong)
    assert of_sizes(runs("sh", "/scripts/other.sh"), wrong) == []


@pytest.mark.parametrize("word", [("--config", "/scripts/vllm.yaml"), ("--config=/scripts/vllm.yaml",)])
def test_a_configuration_file_of_the_server_is_read(word: tuple[str, ...]) -> None:
    wrong = config({"vllm.yaml": "tensor-parallel-size: 2\nenable_prefix_caching: true\nmax-model-len: 8192\n"})
    model = ("vllm", "serve", "Qwen/Qwen2.5-7B-Instruct", "--port=8000")
    assert of_sizes(runs(*model, *word), wrong)
    assert of_sizes(runs("bash", "-c", " ".join((*model, *word))), wrong)
    assert of_sizes(runs(*model, *word, "--tensor-parallel-size=1"), wrong) == []


@pytest.mark.parametrize(
    "source",
    [
        {"env": [{"name": "TP", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "TP"}}}]},
        {"env": [], "envFrom": [{"configMapRef": {"name": "cfg"}}]},
    ],
)
def test_variables_of_a_config_map_count(source: dict[str, Any]) -> None:
    line = {"command": ["sh", "-c", f"{SERVE} --tensor-parallel-size $TP"], "args": None}
    made = deployment(containers=[container(line | source)])
    assert of_sizes(made, config({"TP": "2"}))
    for silent in (
        config({"TP": "1"}),
        config({"TP": "2"}, namespace="other"),
        config(UNKNOWN),
        config({"TP": UNKNOWN}),
    ):
        assert of_sizes(made, silent) == []


def test_a_variable_of_the_container_wins_over_those_of_a_config_map() -> None:
    line = {"command": ["sh", "-c", f"{SERVE} -tp $TP"], "args": None}
    own = {"env": [{"name": "TP", "value": "1"}], "envFrom": [{"configMapRef": {"name": "cfg"}}]}
    assert of_sizes(deployment(containers=[container(line | own)]), config({"TP": "2"})) == []


def test_what_is_wrong_without_the_config_map_is_told_once() -> None:
    made = runs("bash", "-c", f"/scripts/setup.sh; {SERVE} -tp 2")
    assert len(of_sizes(made, config({"setup.sh": "echo ready"}))) == 1


@pytest.mark.parametrize("data", [None, [], {"run.sh": 7}, {"run.sh": Secret("x")}, {"vllm.yaml": "a: [", "b": "- 1"}])
def test_odd_config_maps_are_silent(data: Any) -> None:
    for command in (("sh", "/scripts/run.sh"), ("vllm", "serve", "m", "--config", "/scripts/vllm.yaml")):
        assert of_sizes(runs(*command), config(data)) == []
