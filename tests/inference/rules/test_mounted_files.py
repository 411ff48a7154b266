from __future__ import annotations

from typing import Any

import pytest

from inference.rules.mounted_files import mounted_file_exists
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, deployment, findings, leader_worker_set, resource

MOUNT = {"name": "scripts", "mountPath": "/scripts"}
MAPPED = {"name": "scripts", "configMap": {"name": "start", "items": [{"key": "a", "path": "go.sh"}]}}
VOLUME = {"name": "scripts", "configMap": {"name": "start"}}


def config(data: Any, namespace: str = "serving") -> Resource:
    metadata = {"name": "start", "namespace": namespace}
    return resource(
        "kubernetes:core/v1:ConfigMap",
        "start",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
    )


def starts(*command: str, mount: dict[str, Any] = MOUNT, volume: dict[str, Any] = VOLUME, **more: Any) -> Resource:
    made = container({"command": list(command), "args": None, "volumeMounts": [mount], **more})
    return deployment(containers=[made], pod={"volumes": [volume]})


@pytest.mark.parametrize(
    "command",
    [
        ("/scripts/start.sh",),
        ("bash", "/scripts/start.sh"),
        ("sh", "-c", "set -e; exec /scripts/start.sh"),
        ("vllm", "serve", "m", "--config=/scripts/vllm.yaml"),
        ("vllm", "serve", "m", "--chat-template", "/scripts/template.jinja"),
    ],
)
def test_a_file_that_the_config_map_lacks_is_found(command: tuple[str, ...]) -> None:
    (found,) = findings(mounted_file_exists, starts(*command), config({"run.sh": "vllm serve m"}))
    assert "has run.sh" in found


def test_items_name_the_files() -> None:
    assert findings(mounted_file_exists, starts("/scripts/a.sh", volume=MAPPED), config({"a.sh": ""}))


def test_both_templates_of_a_group_are_judged() -> None:
    made = container({"command": ["bash", "/scripts/start.sh"], "args": None, "volumeMounts": [MOUNT]})
    pod = {"containers": [made], "volumes": [VOLUME]}
    group = leader_worker_set(leader=pod, worker=pod)
    assert len(findings(mounted_file_exists, group, config({"run.sh": ""}))) == 2


@pytest.mark.parametrize(
    ("made", "data"),
    [
        (starts("/scripts/run.sh"), {"run.sh": ""}),
        (starts("/scripts/go.sh", volume=MAPPED), {"a": ""}),
        (starts("ls", "/scripts/"), {"run.sh": ""}),
        (starts("sh", "-c", "cat /scripts/*.sh"), {"run.sh": ""}),
        (starts("/scripts/$NAME.sh"), {"run.sh": ""}),
        (starts("/other/run.sh"), {"start.sh": ""}),
        (starts("/scripts/go.sh", mount=MOUNT | {"mountPath": "/scripts/go.sh", "subPath": "run.sh"}), {"run.sh": ""}),
        (starts("/scripts/go.sh"), UNKNOWN),
        (starts("/scripts/go.sh", volumeMounts=[MOUNT, {"name": "x", "mountPath": "/scripts/go.sh"}]), {"run.sh": ""}),
    ],
)
def test_a_file_that_is_there_or_may_be_is_silent(made: Resource, data: Any) -> None:
    assert findings(mounted_file_exists, made, config(data)) == []


def test_a_config_map_of_another_namespace_or_none_is_silent() -> None:
    assert findings(mounted_file_exists, starts("/scripts/start.sh"), config({"run.sh": ""}, "other")) == []
    assert findings(mounted_file_exists, starts("/scripts/start.sh")) == []
