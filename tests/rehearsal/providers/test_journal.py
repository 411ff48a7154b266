"""What was asked is written down, and what was ordered to go wrong goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from rehearsal.providers.faults import FAIL_CREATE, HOLD_CREATE
from rehearsal.providers.journal import Journal
from rehearsal.providers.world import World
from rehearsal.values import Secret
from tests.rehearsal.providers.conftest import NETWORK, Cloud, Plugin, urn


def told(journal: Journal) -> list[tuple[str, str, str]]:
    return [(entry.phase, entry.operation, entry.urn.rpartition("::")[2]) for entry in journal.read()]


def test_every_operation_has_a_beginning_and_an_end(cloud: Cloud) -> None:
    cloud.gcp.make(NETWORK, "vpc", {"name": "vpc"})
    cloud.gcp.update(urn(NETWORK, "vpc"), {"name": "vpc", "mtu": 1460})
    cloud.gcp.delete(NETWORK, "vpc")
    assert told(cloud.world.journal) == [
        (phase, operation, "vpc") for operation in ("create", "update", "delete") for phase in ("begin", "end")
    ]
    ids = {entry.id for entry in cloud.world.journal.read() if entry.phase == "end"}
    assert ids == {"projects/my-project/global/networks/vpc"}


def test_a_refusal_is_written_down_with_its_reason(cloud: Cloud) -> None:
    cloud.gcp.make("gcp:container/cluster:Cluster", "c", {"name": "c", "location": "us-central1"})
    with pytest.raises(grpc.RpcError):
        cloud.gcp.delete("gcp:container/cluster:Cluster", "c")
    last = cloud.world.journal.read()[-1]
    assert (last.phase, last.operation) == ("fail", "delete")
    assert "deletion_protection" in last.reason


def test_the_journal_holds_no_value(cloud: Cloud) -> None:
    token = urn("kubernetes:core/v1:Secret", "s")
    cloud.kubernetes.create(token, {"metadata": {"name": "s"}, "stringData": Secret({"key": "hidden-value"})})
    assert "hidden-value" not in cloud.world.journal._path.read_text(encoding="utf-8")


def test_entries_of_many_writers_stay_whole(tmp_path: Path) -> None:
    def write() -> None:
        for _ in range(50):
            Journal(tmp_path / "journal.jsonl").write("begin", "create", "urn:pulumi:a::b::c::d", "c", "x" * 500)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Journal(tmp_path / "journal.jsonl").read()) == 400


def test_a_creation_fails_where_it_is_ordered_to(serve: Callable[..., Plugin]) -> None:
    plugin = serve("gcp", **{FAIL_CREATE: "::vpc$"})
    with pytest.raises(grpc.RpcError, match="GCE_STOCKOUT"):
        plugin.make(NETWORK, "vpc", {"name": "vpc"})
    plugin.make(NETWORK, "vpc-other", {"name": "other"})


def test_a_held_creation_ends_without_a_trace_when_the_engine_cancels(
    serve: Callable[..., Plugin], tmp_path: Path
) -> None:
    plugin = serve("gcp", **{HOLD_CREATE: "vpc"})
    threading.Timer(0.2, plugin.cancel).start()
    with pytest.raises(grpc.RpcError, match="interrupted"):
        plugin.make(NETWORK, "vpc", {"name": "vpc"})
    assert not list(World(tmp_path / "cloud"))


def test_a_creation_for_which_nobody_waits_does_not_happen(serve: Callable[..., Plugin], tmp_path: Path) -> None:
    plugin = serve("gcp", **{HOLD_CREATE: "vpc"})
    from pulumi.runtime.proto import provider_pb2

    from rehearsal import wire

    request = provider_pb2.CreateRequest(urn=urn(NETWORK, "vpc"), properties=wire.encode({"name": "vpc"}))
    with pytest.raises(grpc.RpcError, match="DEADLINE"):
        plugin.stub.Create(request, timeout=0.2)
    journal = World(tmp_path / "cloud").journal
    deadline = time.monotonic() + 60
    while journal.read()[-1].phase != "fail" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert journal.read()[-1].phase == "fail"
    assert not list(World(tmp_path / "cloud"))
