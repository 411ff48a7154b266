"""The real client libraries against a stand-in for Google Cloud's endpoints: what is asked, and what is understood.

The stand-in answers with JSON as the public REST reference shows it, so that a field that the libraries do not have, or
have by another name, is noticed here and not by a user.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from inference.problems import ProblemsError
from inference.rules.views.stack import Stack
from rehearsal.preflight import google_cloud, running
from rehearsal.preflight.checks import Answer
from rehearsal.preflight.google_cloud import GoogleCloud
from rehearsal.preflight.questions import Limit, NotAnsweredError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for library in ("compute_v1", "container_v1", "cloudquotas_v1", "resourcemanager_v3", "service_usage_v1"):
        pytest.importorskip(f"google.cloud.{library}", reason="requirements-preflight.txt is not installed")
    anonymous = pytest.importorskip("google.auth.credentials").AnonymousCredentials

COMPUTE = "/compute/v1/projects/house"
RESERVATION = {
    "name": "h200",
    "status": "READY",
    "specificReservationRequired": True,
    "specificReservation": {
        "count": "4",
        "inUseCount": "1",
        "instanceProperties": {
            "machineType": "a3-ultragpu-8g",
            "guestAccelerators": [{"acceleratorType": "nvidia-h200-141gb", "acceleratorCount": 8}],
            "localSsds": [{"diskSizeGb": "375", "interface": "NVME"}] * 32,
        },
    },
}


@dataclass
class Endpoint:
    """All of Google Cloud's APIs behind one address."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    """By path, or what returns it; an integer is the status of an error."""
    asked: list[tuple[str, str, dict[str, list[str]], Any]] = field(default_factory=list)

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        query = {key: value for key, value in parse_qs(parts.query).items() if not key.startswith("$")}
        self.asked.append((method, parts.path, query, json.loads(body) if body else None))
        found = self.answers.get(parts.path, 404)
        found = found(query, self.asked[-1][3]) if callable(found) else found
        if isinstance(found, int):
            message = f"status {found}\nand a trace that nobody needs"
            return found, {"error": {"code": found, "message": message, "status": "X"}}
        return 200, found


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, answer = found.answer(self.command, self.path, self.rfile.read(length))
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _serve  # noqa: N815 - the protocol's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def cloud(endpoint: Endpoint) -> GoogleCloud:
    return GoogleCloud(google_cloud.load(), anonymous(), endpoint.url, patience_s=0.5)


def test_the_quotas_of_a_region_and_of_a_project_are_read(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    region = [
        {"metric": "NVIDIA_L4_GPUS", "limit": 8.0, "usage": 3.0},
        {"metric": "NEWER_THAN_THE_LIBRARY", "limit": 1},
    ]
    endpoint.answers[f"{COMPUTE}/regions/us-central1"] = {"name": "us-central1", "quotas": region}
    endpoint.answers[COMPUTE] = {"quotas": [{"metric": "GPUS_ALL_REGIONS", "limit": 16.0, "usage": 0.0}]}
    assert cloud.region_quotas("house", "us-central1") == {
        "NVIDIA_L4_GPUS": Limit(8, 3),
        "NEWER_THAN_THE_LIBRARY": Limit(1, 0),
    }
    assert cloud.project_quotas("house") == {"GPUS_ALL_REGIONS": Limit(16, 0)}


def test_the_rows_of_a_quota_are_read_with_their_dimensions(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    name = "GPUS-PER-GPU-FAMILY-per-project-region"
    rows = [
        {"dimensions": {"gpu_family": "NVIDIA_H200", "region": "us-central1"}, "details": {"value": "32"}},
        {"dimensions": {"region": "us-central1"}, "details": {}},
        {"details": {"value": "-1"}},
    ]
    path = f"/v1/projects/house/locations/global/services/compute.googleapis.com/quotaInfos/{name}"
    endpoint.answers[path] = {"quotaId": name, "dimensionsInfos": rows}
    found = cloud.quota_rows("house", "compute.googleapis.com", name)
    assert found is not None
    assert [(dict(row.dimensions), row.value) for row in found] == [
        ({"gpu_family": "NVIDIA_H200", "region": "us-central1"}, 32),
        ({"region": "us-central1"}, 0),
        ({}, -1),
    ]
    assert cloud.quota_rows("house", "compute.googleapis.com", "NONE") is None


def test_a_reservation_is_read_with_what_it_holds(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    endpoint.answers[f"{COMPUTE}/zones/us-central1-b/reservations/h200"] = RESERVATION
    found = cloud.reservation("house", "us-central1-b", "h200")
    assert found is not None
    assert (found.machine_type, found.accelerators) == ("a3-ultragpu-8g", {"nvidia-h200-141gb": 8})
    assert (found.count, found.in_use, found.local_ssds) == (4, 1, 32)
    assert (found.specific_only, found.status) == (True, "READY")
    assert cloud.reservation("house", "us-central1-a", "h200") is None


def test_blocks_and_sub_blocks_of_a_reservation_are_found(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    block = f"{COMPUTE}/zones/us-central1-b/reservations/h200/reservationBlocks/b1"
    endpoint.answers[block] = {"resource": {"name": "b1"}}
    endpoint.answers[f"{block}/reservationSubBlocks/s1"] = {"resource": {"name": "s1"}}
    assert cloud.has_block("house", "us-central1-b", "h200/reservationBlocks/b1")
    assert cloud.has_block("house", "us-central1-b", "h200/reservationBlocks/b1/reservationSubBlocks/s1")
    assert not cloud.has_block("house", "us-central1-b", "h200/reservationBlocks/b2")


def test_machines_accelerators_and_profiles_are_offered_or_not(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    endpoint.answers[f"{COMPUTE}/zones/us-central1-b/machineTypes/a3-ultragpu-8g"] = {"name": "a3-ultragpu-8g"}
    endpoint.answers[f"{COMPUTE}/zones/us-central1-b/acceleratorTypes/nvidia-tesla-t4"] = {"name": "nvidia-tesla-t4"}
    endpoint.answers[f"{COMPUTE}/global/networkProfiles/us-central1-b-vpc-roce"] = {"name": "us-central1-b-vpc-roce"}
    assert cloud.offers_machine("house", "us-central1-b", "a3-ultragpu-8g")
    assert not cloud.offers_machine("house", "us-central1-b", "a9-highgpu-8g")
    assert cloud.offers_accelerator("house", "us-central1-b", "nvidia-tesla-t4")
    assert not cloud.offers_accelerator("house", "us-central1-a", "nvidia-tesla-t4")
    assert cloud.offers_profile("house", "us-central1-b-vpc-roce")
    assert not cloud.offers_profile("house", "us-central1-z-vpc-roce")


def test_services_are_asked_for_in_groups_that_the_api_takes(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    def answer(query: dict[str, list[str]], _: Any) -> dict[str, Any]:
        assert len(query["names"]) <= 30
        on = {"true": "ENABLED", "false": "DISABLED"}
        return {"services": [{"name": n, "state": on[str("api7" not in n).lower()]} for n in query["names"]]}

    endpoint.answers["/v1/projects/house/services:batchGet"] = answer
    names = [f"api{n}.googleapis.com" for n in range(40)]
    found = cloud.enabled("house", names)
    assert list(found) == names
    assert [name for name, on in found.items() if not on] == ["api7.googleapis.com"]
    assert len(endpoint.asked) == 2


def test_permissions_are_tested_in_groups_that_the_api_takes(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    path = "/v3/projects/house:testIamPermissions"
    endpoint.answers[path] = lambda _, body: {"permissions": [n for n in body["permissions"] if n[-1] != "3"]}
    names = [f"compute.things.verb{n}" for n in range(120)]
    assert cloud.granted("house", names) == {name for name in names if name[-1] != "3"}
    assert len(endpoint.asked) == 2


def test_the_versions_of_every_channel_are_read(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    channels = [{"channel": "REGULAR", "defaultVersion": "1.35.1-gke.1", "validVersions": ["1.35.1-gke.1", "1.34.2"]}]
    endpoint.answers["/v1/projects/house/locations/us-central1/serverConfig"] = {
        "channels": channels,
        "validMasterVersions": ["1.33.9"],
    }
    found = cloud.versions("house", "us-central1")
    assert found.channels["REGULAR"].default == "1.35.1-gke.1"
    assert found.channels["REGULAR"].valid == ("1.35.1-gke.1", "1.34.2")
    assert found.valid == ("1.33.9",)


@pytest.mark.parametrize("status", [403, 412, 429, 503])
def test_an_error_is_a_reason_in_one_line_and_no_traceback(endpoint: Endpoint, cloud: GoogleCloud, status: int) -> None:
    endpoint.answers[f"{COMPUTE}/regions/us-central1"] = status
    with pytest.raises(NotAnsweredError, match=rf"^[^\n]*status {status}[^\n]*$"):
        cloud.region_quotas("house", "us-central1")


def test_an_unknown_permission_spoils_only_its_own_answer(endpoint: Endpoint, cloud: GoogleCloud) -> None:
    def answer(_: Any, body: dict[str, Any]) -> Any:
        return 400 if "no.such.thing" in body["permissions"] else {"permissions": body["permissions"]}

    endpoint.answers["/v3/projects/house:testIamPermissions"] = answer
    assert cloud.granted("house", ["a.b.c", "a.b.d", "no.such.thing", "a.b.e"]) == {"a.b.c", "a.b.d", "a.b.e"}


def test_nobody_at_the_other_end_is_a_reason(cloud: GoogleCloud, endpoint: Endpoint) -> None:
    unreachable = GoogleCloud(google_cloud.load(), anonymous(), "http://127.0.0.1:9", patience_s=0.5)
    with pytest.raises(NotAnsweredError, match=r"127\.0\.0\.1"):
        unreachable.reservation("house", "us-central1-b", "h200")


def test_a_whole_preflight_runs_over_the_wire(prod: Stack, endpoint: Endpoint, cloud: GoogleCloud) -> None:
    here = "/compute/v1/projects/my-project-prod"
    regional = ("CPUS", "SSD_TOTAL_GB", "HDB_TOTAL_GB", "INSTANCES", "IN_USE_ADDRESSES", "INSTANCE_GROUP_MANAGERS",
                "EXTERNAL_MANAGED_FORWARDING_RULES")  # fmt: skip
    everywhere = ("CPUS_ALL_REGIONS", "NETWORKS", "SUBNETWORKS", "ROUTERS", "FIREWALLS", "INSTANCE_TEMPLATES")
    plenty = {"limit": 10_000, "usage": 0}
    reserved = {**RESERVATION, "name": "h200-inference"}
    channel = {"channel": "REGULAR", "defaultVersion": "1.35.1-gke.1", "validVersions": ["1.35.1-gke.1"]}
    endpoint.answers |= {
        f"{here}/regions/us-central1": {"quotas": [{"metric": name, **plenty} for name in regional]},
        here: {"quotas": [{"metric": name, **plenty} for name in everywhere]},
        f"{here}/zones/us-central1-b/reservations/h200-inference": reserved,
        f"{here}/zones/us-central1-b/machineTypes/a3-ultragpu-8g": {"name": "a3-ultragpu-8g"},
        f"{here}/global/networkProfiles/us-central1-b-vpc-roce": {"name": "us-central1-b-vpc-roce"},
        "/v1/projects/my-project-prod/services:batchGet": lambda query, _: {
            "services": [{"name": name, "state": "ENABLED"} for name in query["names"]]
        },
        "/v3/projects/my-project-prod:testIamPermissions": lambda _, body: body,
        "/v1/projects/my-project-prod/locations/us-central1/serverConfig": {"channels": [channel]},
    }  # fmt: skip
    found = running.compare("prod", prod, Stack(()), cloud)
    (short,) = [check for check in found.checks if check.answer is not Answer.OK and check.topic != "machine"]
    assert (short.topic, short.detail) == (
        "reservation",
        "3 machines are free and up to 4 are needed: growth ends there",
    )
    assert {method for method, *_ in endpoint.asked} == {"GET", "POST"}
    posted = {path for method, path, *_ in endpoint.asked if method == "POST"}
    assert posted == {"/v3/projects/my-project-prod:testIamPermissions"}, "everything else is a plain read"


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.cloudquotas_v1", None)
    monkeypatch.delattr("google.cloud.cloudquotas_v1", raising=False)
    with pytest.raises(ProblemsError, match=r"pip install -r requirements-preflight\.txt"):
        google_cloud.load()
