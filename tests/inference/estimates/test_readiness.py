"""Every model server has an estimate of its time to ready, phase by phase, or the reason why one is missing."""

from __future__ import annotations

from typing import Any

import pytest

from inference.blueprint import design
from inference.estimates.readiness import Readiness, readiness
from inference.facts.loading import ENGINES, IMAGES, NODES, STORES
from inference.facts.models import MODELS
from inference.facts.sources import SOURCES, keys
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.stackfile import load
from inference.startup import startup
from tests.inference.rules.cases import cluster, container, deployment, leader_worker_set, node_pool, workload
from tests.support.stacks import edited

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
SIZE = MODELS[LLAMA].weight_bytes or 0
FUSE = "gcsfuse.csi.storage.gke.io"


def serving(model: str = LLAMA, *args: Any, pod: dict[str, Any] | None = None, **changes: Any) -> Resource:
    amount = {"nvidia.com/gpu": 1}
    made = {
        "command": ["vllm", "serve", model],
        "args": list(args),
        "resources": {"requests": amount, "limits": amount},
        "volumeMounts": [{"name": "weights", "mountPath": "/weights"}],
        **changes,
    }
    selector = {"nodeSelector": {"cloud.google.com/gke-nodepool": "l4"}}
    return deployment(containers=[container(made)], pod={**selector, **(pod or {})})


def only(*resources: Resource) -> Readiness:
    (found,) = readiness(Stack(resources))
    return found


def on_pool(*resources: Resource, **config: Any) -> Readiness:
    return only(cluster(), node_pool("l4", {"nodeConfig": config, "name": "l4"}), *resources)


def test_a_server_on_a_new_node_takes_the_sum_of_all_phases() -> None:
    found = on_pool(serving())
    seconds = [phase.seconds for phase in found.phases]
    assert seconds == [410, 214, 81, 200]
    assert (found.seconds, found.complete) == (905, True)
    assert all(phase.why and phase.source for phase in found.phases)


def test_probe_budgets_come_of_the_same_numbers() -> None:
    for plan in design(load(edited("dev"), "dev"), "dev").models.values():
        assert plan.known is not None
        found = on_pool(serving(plan.settings.model))
        assert plan.startup.seconds == found.load_seconds
        assert plan.startup == startup(plan.known.weight_bytes, "hub", 1, plan.known.parameters)


def test_flex_start_and_queued_nodes_come_when_they_come() -> None:
    found = on_pool(serving(), flexStart=True)
    assert found.phase("node").seconds is None
    assert "nobody vouches" in found.phase("node").why
    assert not found.complete
    assert found.seconds == 214 + 81 + 200


def test_a_pool_that_is_not_known_leaves_the_node_unknown() -> None:
    assert only(serving()).phase("node").seconds is None


def test_an_image_is_there_at_once_when_streamed_and_soon_when_preloaded() -> None:
    assert on_pool(serving(), gcfsConfig={"enabled": True}).phase("image").seconds == 4
    copied = serving(image="us-central1-docker.pkg.dev/house/images/vllm-openai:v0.32.0")
    assert on_pool(copied, gcfsConfig={"enabled": True}).phase("image").seconds == 4
    elsewhere = serving(image="ghcr.io/house/vllm-openai:v0.32.0")
    pulled = on_pool(elsewhere, gcfsConfig={"enabled": True}).phase("image")
    assert pulled.seconds == 214
    assert "not known to stream images from ghcr.io" in pulled.why
    disks = [{"diskImage": "projects/p/global/images/i", "mode": "CONTAINER_IMAGE_CACHE"}]
    preloaded = on_pool(serving(), gcfsConfig={"enabled": True}, secondaryBootDisks=disks)
    assert preloaded.phase("image").seconds == 8
    data = [{"diskImage": "projects/p/global/images/i"}]
    assert on_pool(serving(), secondaryBootDisks=data).phase("image").seconds == 214


def test_an_image_of_unknown_size_has_no_time() -> None:
    made = serving(
        image="ghcr.io/huggingface/text-generation-inference:3.3.0", command=None, args=["--model-id", LLAMA]
    )
    assert on_pool(made).phase("image").seconds is None


def volume(**spec: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "weights", **spec}]}


def fuse(options: str = "", **attributes: str) -> dict[str, Any]:
    return volume(csi={"driver": FUSE, "volumeAttributes": {"bucketName": "b", "mountOptions": options, **attributes}})


FOLDER = f"/weights/{LLAMA}"


@pytest.mark.parametrize(
    ("made", "store"),
    [
        (serving(), "hub"),
        (serving(FOLDER, pod=fuse()), "bucket-plain"),
        (serving(FOLDER, pod=fuse("file-cache:enable-parallel-downloads:true,file-cache:max-size-mb:-1")), "bucket"),
        (serving(FOLDER, pod=fuse(fileCacheCapacity="100Gi")), "bucket"),
        (serving(FOLDER, "--load-format=runai_streamer", pod=fuse()), "streamer"),
        (serving(f"gs://bucket/{LLAMA}", "--load-format=runai_streamer"), "streamer"),
        (serving(FOLDER, pod=volume(hostPath={"path": "/mnt/disks/ssd0"})), "local-ssd"),
        (serving(FOLDER, pod=volume(nfs={"server": "a", "path": "/b"})), None),
        (serving("/elsewhere/" + LLAMA, pod=fuse()), None),
    ],
)
def test_weights_come_from_where_the_path_lies(made: Resource, store: str | None) -> None:
    found = on_pool(made)
    assert found.store == store
    seconds = found.phase("weights").seconds
    if store is None:
        assert seconds is None
    else:
        assert seconds == pytest.approx(SIZE / STORES[store].bytes_per_second, abs=1)
        assert STORES[store].name in found.phase("weights").why


@pytest.mark.parametrize(("kind", "store"), [("hyperdisk-ml", "hyperdisk-ml"), ("pd-balanced", "disk")])
def test_a_claim_is_as_fast_as_its_storage_class(kind: str, store: str) -> None:
    sort = workload(
        "kubernetes:storage.k8s.io/v1:StorageClass", "storage.k8s.io/v1", "StorageClass", "weights",
        {}, {"provisioner": "pd.csi.storage.gke.io", "parameters": {"type": kind}},
    )  # fmt: skip
    spec = {"storageClassName": "weights", "resources": {"requests": {"storage": "100Gi"}}}
    claim = workload("kubernetes:core/v1:PersistentVolumeClaim", "v1", "PersistentVolumeClaim", "weights", spec, None)
    pod = volume(persistentVolumeClaim={"claimName": "weights"})
    assert on_pool(sort, claim, serving(FOLDER, pod=pod)).store == store


def test_a_model_of_unknown_size_leaves_its_reading_unknown() -> None:
    found = on_pool(serving("some/unheard-of"))
    assert found.phase("weights").seconds is None
    assert "the size of the weights is not known" in found.phase("weights").why


def test_the_nodes_of_a_group_read_their_parts() -> None:
    found = only(cluster(), node_pool(), leader_worker_set())
    assert found.phase("engine").seconds == ENGINES["group"].seconds


@pytest.mark.parametrize(("probe", "allowed"), [
    ({"periodSeconds": 10, "failureThreshold": 12, "httpGet": {"path": "/health", "port": 8000}}, 120),
    ({"initialDelaySeconds": 60, "periodSeconds": 10, "failureThreshold": 60, "httpGet": {}}, 660),
])  # fmt: skip
def test_a_probe_that_gives_up_before_the_model_is_loaded_is_impatient(probe: dict[str, Any], allowed: int) -> None:
    found = on_pool(serving(startupProbe=probe))
    assert found.allowed == allowed
    assert found.impatient == (allowed < 281)


def test_a_server_without_a_startup_probe_is_not_impatient() -> None:
    found = on_pool(serving(startupProbe=None))
    assert (found.allowed, found.impatient) == (None, False)


def test_every_figure_names_a_source_or_that_it_is_assumed() -> None:
    records: list[Any] = [*STORES.values(), *IMAGES.values(), *ENGINES.values(), *NODES.values()]
    for record in records:
        assert record.source or record.assumed
        assert not record.source or set(keys(record.source)) <= SOURCES.keys(), record.source


def test_faster_stores_are_faster() -> None:
    order = ["hub", "bucket-plain", "bucket", "streamer", "hyperdisk-ml"]
    speeds = [STORES[name].bytes_per_second for name in order]
    assert speeds == sorted(speeds)
