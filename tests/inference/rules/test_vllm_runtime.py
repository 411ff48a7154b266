from __future__ import annotations

import pytest

from inference.rules.views.values import UNKNOWN
from inference.rules.vllm_runtime import (
    caches_are_writable,
    driver_path_stated,
    driver_precedes_compat,
    driver_runs_cuda,
    image_fits_accelerator,
    linker_finds_driver,
)
from tests.inference.rules.cases import cluster, container, custom, deployment, findings, leader_worker_set, node_pool

RULES = (caches_are_writable, driver_path_stated, driver_precedes_compat, driver_runs_cuda, linker_finds_driver)
TMP = "/tmp"  # noqa: S108 - of the container
LIBRARIES = "/usr/local/nvidia/lib64"


def serving(*, pod=None, **changes):
    return deployment(containers=[container(changes)], pod=pod)


def env(**values):
    return [{"name": name, "value": value} for name, value in values.items()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_servers_as_they_should_be_are_silent(rule):
    assert not findings(rule, cluster(), node_pool(), deployment(), leader_worker_set())


# Libraries


@pytest.mark.parametrize("tag", ["v0.9.0", "0.10.2", "v0.11.0"])
def test_an_image_that_does_not_look_for_the_driver_is_found(tag):
    image = f"vllm/vllm-openai:{tag}"
    assert LIBRARIES in findings(driver_precedes_compat, serving(image=image, env=None))[0]
    assert findings(driver_precedes_compat, serving(image=image, env=env(OTHER="1")))
    group = leader_worker_set(containers=[container({"image": image, "env": None})])
    assert len(findings(driver_precedes_compat, group)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"env": env(LD_LIBRARY_PATH=f"/usr/local/cuda/compat:{LIBRARIES}")},
        {"env": env(LD_LIBRARY_PATH="/usr/local/cuda-12.8/compat/")},
        {
            "command": ["bash", "-c"],
            "args": [f"export LD_LIBRARY_PATH=/usr/local/cuda/compat:{LIBRARIES}; exec vllm serve m"],
        },
    ],
)
def test_a_compatibility_library_before_the_driver_is_found(changes):
    assert "error 803" in findings(driver_precedes_compat, serving(**changes))[0]


def test_an_image_that_names_the_driver_leaves_it_to_a_hint():
    bare = serving(env=None)
    assert not findings(driver_precedes_compat, bare)
    assert LIBRARIES in findings(driver_path_stated, bare)[0]
    assert findings(driver_path_stated, serving(env=None, image="vllm/vllm-openai:latest"))


@pytest.mark.parametrize(
    "changes",
    [
        {"env": env(LD_LIBRARY_PATH=f"{LIBRARIES}:/usr/local/cuda/lib64")},
        {"env": env(LD_LIBRARY_PATH=f"/usr/lib/x86_64-linux-gnu:{LIBRARIES}")},
        {"env": env(LD_LIBRARY_PATH=f"{LIBRARIES}:/usr/local/cuda/compat")},
        {"env": UNKNOWN},
        {"env": None, "envFrom": [{"configMapRef": {"name": "cuda"}}]},
        {"env": [{"name": "LD_LIBRARY_PATH", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]},
        {
            "env": None,
            "command": ["bash", "-c"],
            "args": [f"export LD_LIBRARY_PATH={LIBRARIES}:$LD_LIBRARY_PATH; exec vllm serve m"],
        },
        {"env": None, "command": ["bash", "-c"], "args": [f"ldconfig {LIBRARIES}; exec vllm serve m"]},
        {"env": None, "resources": {"limits": {"nvidia.com/gpu": None}, "requests": {"nvidia.com/gpu": None}}},
        {"env": None, "image": "vllm/vllm-openai:v0.8.5"},
        {"env": None, "image": "registry.example.com/own-vllm:v3"},
        {"env": None, "image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.3", "command": None},
    ],
)
def test_a_stated_path_or_another_image_is_silent(changes):
    for tag in ("v0.10.0", "v0.32.0"):
        made = serving(**({"image": f"vllm/vllm-openai:{tag}"} | changes))
        assert not findings(driver_precedes_compat, made)
        assert not findings(driver_path_stated, made)


LLM_D = {"image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0"}


def test_an_llm_d_image_needs_the_path_of_libcuda():
    assert "TRITON_LIBCUDA_PATH" in findings(linker_finds_driver, serving(**LLM_D))[0]
    dev = serving(image="ghcr.io/llm-d/llm-d-cuda-dev:sha-ce75a09", env=env(LIBRARY_PATH="/usr/lib"))
    assert findings(linker_finds_driver, dev)
    main = container(LLM_D | {"name": "main"})
    kserve = custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", {"template": {"containers": [main]}})
    assert findings(linker_finds_driver, kserve)
    for stated in (
        env(TRITON_LIBCUDA_PATH=LIBRARIES),
        env(LIBRARY_PATH=f"/usr/lib:{LIBRARIES}"),
        UNKNOWN,
        [{"name": "LIBRARY_PATH", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}],
    ):
        assert not findings(linker_finds_driver, serving(**LLM_D, env=stated))
    script = f"export LIBRARY_PATH={LIBRARIES}:$LIBRARY_PATH; exec vllm serve m"
    assert not findings(linker_finds_driver, serving(**LLM_D, command=["bash", "-c"], args=[script]))
    assert not findings(linker_finds_driver, serving(image="ghcr.io/llm-d/llm-d-routing-sidecar:v0.8.0"))


# Driver


def gpus(driver=None, version=None, **config):
    gpu = {"type": "nvidia-l4", "count": 1}
    gpu |= {} if driver is None else {"gpuDriverInstallationConfig": {"gpuDriverVersion": driver}}
    return node_pool(props={"nodeConfig": {"guestAccelerators": [gpu]} | config, "version": version})


@pytest.mark.parametrize("driver", [None, "DEFAULT", "GPU_DRIVER_VERSION_UNSPECIFIED"])
def test_a_default_driver_under_cuda_13_is_found(driver):
    for image in ("vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:latest"):
        (found,) = findings(driver_runs_cuda, cluster(), gpus(driver), serving(image=image))
        assert "R580" in found
        assert "LATEST" in found


def test_an_old_cluster_has_an_old_default_driver():
    older = serving(image="vllm/vllm-openai:v0.11.0")
    assert "R570" in findings(driver_runs_cuda, cluster(props={"minMasterVersion": "1.31"}), gpus("DEFAULT"), older)[0]
    assert findings(driver_runs_cuda, cluster(), gpus("DEFAULT", "1.32.4-gke.1"), older)
    assert not findings(driver_runs_cuda, cluster(), gpus("DEFAULT"), older)


@pytest.mark.parametrize(
    ("pool", "changes"),
    [
        (gpus("LATEST"), {}),
        (gpus("INSTALLATION_DISABLED"), {}),
        (gpus(UNKNOWN), {}),
        (gpus("DEFAULT", guestAccelerators=UNKNOWN), {}),
        (gpus("DEFAULT"), {"image": "vllm/vllm-openai:v0.32.0-cu129"}),
        (gpus("DEFAULT"), {"env": env(VLLM_ENABLE_CUDA_COMPATIBILITY="1")}),
        (gpus("DEFAULT"), {"image": "registry.example.com/own:v1"}),
        (gpus("DEFAULT"), {"image": "vllm/vllm-openai:v0.8.5"}),
    ],
)
def test_a_driver_that_runs_the_image_is_silent(pool, changes):
    assert not findings(driver_runs_cuda, cluster(), pool, serving(**changes))


def test_a_pool_of_which_nothing_is_known_is_silent():
    assert not findings(driver_runs_cuda, serving())
    assert not findings(driver_runs_cuda, gpus("DEFAULT"), serving())


# Directories

READ_ONLY = {"securityContext": {"readOnlyRootFilesystem": True}}


def mounts(**paths):
    return [{"name": name, "mountPath": path} for name, path in paths.items()]


def volumes(*names, **kinds):
    return {"volumes": [{"name": name, "emptyDir": {}} for name in names] + [{"name": n} | k for n, k in kinds.items()]}


CLAIM = {"persistentVolumeClaim": {"claimName": "c"}}


@pytest.mark.parametrize(
    ("changes", "pod"),
    [
        (READ_ONLY | {"volumeMounts": mounts(tmp=TMP)}, volumes("tmp")),
        (READ_ONLY | {"volumeMounts": mounts(cache="/cache"), "env": env(HF_HOME="/cache")}, volumes("cache")),
        (READ_ONLY | {"volumeMounts": mounts(tmp=TMP), "command": ["vllm", "serve", "/models/m"]}, volumes("tmp")),
        (
            READ_ONLY
            | {
                "volumeMounts": [*mounts(tmp=TMP), {"name": "c", "mountPath": "/cache", "readOnly": True}],
                "env": env(HF_HOME="/cache"),
            },
            volumes("tmp", "c"),
        ),
        ({"securityContext": {"runAsUser": 1000}}, {}),
        ({}, {"securityContext": {"runAsUser": 1000.0, "runAsNonRoot": True}}),
        ({"securityContext": {"runAsUser": 1000}, "env": env(HF_HOME="/data/hf")}, {}),
        (
            {"securityContext": {"runAsUser": 1000}, "env": env(HOME="/data"), "volumeMounts": mounts(c="/data")},
            volumes(c=CLAIM),
        ),
        ({"securityContext": {"runAsNonRoot": True}}, {}),
        ({}, {"securityContext": {"runAsNonRoot": "true"}}),
    ],
)
def test_a_server_with_nowhere_to_write_is_found(changes, pod):
    assert len(findings(caches_are_writable, serving(pod=pod, **changes))) == 1


@pytest.mark.parametrize(
    ("changes", "pod"),
    [
        ({}, {}),
        (
            READ_ONLY | {"volumeMounts": mounts(tmp=TMP, cache="/cache"), "env": env(HF_HOME="/cache")},
            volumes("tmp", "cache"),
        ),
        (READ_ONLY | {"volumeMounts": mounts(tmp=TMP, home="/root")}, volumes("tmp", "home")),
        (READ_ONLY | {"volumeMounts": UNKNOWN}, {}),
        (READ_ONLY | {"volumeMounts": mounts(tmp=TMP), "env": env(HOME=TMP, HF_HOME=f"{TMP}/hf")}, volumes("tmp")),
        ({"securityContext": {"readOnlyRootFilesystem": UNKNOWN}}, {}),
        ({"securityContext": {"runAsUser": 1000}, "env": env(HF_HOME=f"{TMP}/hf")}, {}),
        ({"securityContext": {"runAsUser": 2000, "runAsNonRoot": True}}, {}),
        ({"securityContext": {"runAsUser": 0}}, {"securityContext": {"runAsNonRoot": True}}),
        ({"securityContext": {"runAsUser": UNKNOWN}}, {}),
        (
            {"securityContext": {"runAsUser": 1000}, "env": env(HOME="/data"), "volumeMounts": mounts(c="/data")},
            volumes(c=CLAIM) | {"securityContext": {"fsGroup": 1000}},
        ),
        (
            {"securityContext": {"runAsUser": 1000}, "env": env(HOME="/data"), "volumeMounts": mounts(c="/data")},
            volumes(c={"csi": {"driver": "gcsfuse.csi.storage.gke.io"}}),
        ),
        ({"securityContext": {"runAsNonRoot": True}, "image": "registry.example.com/own-vllm:1"}, {}),
    ],
)
def test_a_server_that_may_write_is_silent(changes, pod):
    assert not findings(caches_are_writable, serving(pod=pod, **changes))


def test_an_image_for_another_accelerator_is_found():
    tpus = {"resources": {"requests": None, "limits": {"google.com/tpu": 4, "nvidia.com/gpu": None}}}
    assert "vllm/vllm-tpu" in findings(image_fits_accelerator, serving(**tpus))[0]
    assert "vllm/vllm-openai" in findings(image_fits_accelerator, serving(image="vllm/vllm-tpu:v0.12.0"))[0]


def test_an_image_for_its_accelerator_or_of_somebody_s_own_is_silent():
    tpus = {"resources": {"requests": None, "limits": {"google.com/tpu": 4, "nvidia.com/gpu": None}}}
    for made in (serving(), serving(image="vllm/vllm-tpu:v0.12.0", **tpus), serving(image="acme/vllm:v1", **tpus)):
        assert not findings(image_fits_accelerator, made)
