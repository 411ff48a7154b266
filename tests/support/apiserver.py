"""A Kubernetes API server to try objects on: one of our own for a while, or one that somebody lends.

``KUBEBUILDER_ASSETS`` names a folder with etcd and kube-apiserver, as for
https://book.kubebuilder.io/reference/envtest: both run in a temporary folder, on loopback, until the tests end.
``CLUSTER_TESTS_KUBECONFIG`` names a kubeconfig whose current context is used instead. It is never taken from
``KUBECONFIG``, since that may point at a cluster that matters.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ASSETS", "BORROWED", "ApiServer", "RefusedError", "opened", "running", "unavailable"]

ASSETS = "KUBEBUILDER_ASSETS"
BORROWED = "CLUSTER_TESTS_KUBECONFIG"
_PROGRAMS = ("etcd", "kube-apiserver")
_PATIENCE = 60.0
"""Seconds until a program must answer."""


class RefusedError(Exception):
    """The API server's own words on what it did not take."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ApiServer:
    """Where the server is and how one is let in."""

    address: str
    context: ssl.SSLContext
    token: str = ""

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Return the answer to a request; raises ``RefusedError`` for one of 400 and more."""
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)  # noqa: S310 - https only
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE, context=self.context) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            with suppress(ValueError, KeyError, TypeError):
                text = json.loads(text)["message"]
            raise RefusedError(error.code, text) from None

    def finds(self, path: str) -> bool:
        """Whether something is there."""
        try:
            self.request("GET", path)
        except RefusedError as refused:
            if refused.status != 404:
                raise
            return False
        return True

    def resource(self, manifest: Mapping[str, Any]) -> str:
        """Return the path of an object; raises ``RefusedError`` for a kind that the server does not serve."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        served = self.request("GET", root)["resources"]
        row = next((row for row in served if row["kind"] == kind and "/" not in row["name"]), None)
        if row is None:
            raise RefusedError(404, f"{version} {kind} is not served")
        name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace", "default")
        return (
            f"{root}/namespaces/{namespace}/{row['name']}/{name}"
            if row["namespaced"]
            else f"{root}/{row['name']}/{name}"
        )

    def dry_run(self, manifest: Mapping[str, Any]) -> Any:
        """Return what the server would store if the object were applied, unknown fields being errors."""
        query = "?dryRun=All&fieldValidation=Strict&fieldManager=gke-inference-tests&force=true"
        return self.request("PATCH", self.resource(manifest) + query, manifest, "application/apply-patch+yaml")


def unavailable() -> str:
    """Return why there is no API server; empty where there is one."""
    if kubeconfig := os.environ.get(BORROWED):
        return "" if Path(kubeconfig).is_file() else f"{BORROWED} names {kubeconfig}, which is no file"
    folder = os.environ.get(ASSETS)
    if not folder:
        return f"{ASSETS} names no folder with {' and '.join(_PROGRAMS)}, {BORROWED} no kubeconfig"
    missing = [name for name in _PROGRAMS if not os.access(Path(folder) / name, os.X_OK)]
    return f"{ASSETS} has no {' and no '.join(missing)}" if missing else ""


@contextmanager
def running() -> Iterator[ApiServer]:
    """Lend an API server for a while."""
    if kubeconfig := os.environ.get(BORROWED):
        with tempfile.TemporaryDirectory() as folder:
            yield opened(Path(kubeconfig), Path(folder))
    else:
        with ExitStack() as stack:
            yield _started(Path(os.environ[ASSETS]), stack)


# Our own


def _started(assets: Path, stack: ExitStack) -> ApiServer:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apiserver-")))
    client, peer, secure = _free_ports(3)
    etcd = f"http://127.0.0.1:{client}"
    peers = f"http://127.0.0.1:{peer}"
    certificates, token = folder / "certificates", secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},tests,tests,system:masters\n", encoding="utf-8")
    (folder / "service-accounts.pem").write_text(_signing_key(), encoding="utf-8")
    stack.enter_context(
        _process(
            folder / "etcd.log",
            assets / "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        )
    )
    server = stack.enter_context(
        _process(
            folder / "kube-apiserver.log",
            assets / "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--cert-dir={certificates}",
            "--bind-address=127.0.0.1",
            f"--secure-port={secure}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'service-accounts.pem'}",
            f"--service-account-signing-key-file={folder / 'service-accounts.pem'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",  # as GKE has it
            "--disable-admission-plugins=ServiceAccount",  # asks for accounts that a controller makes
        )
    )
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            context = ssl.create_default_context(cafile=str(certificates / "apiserver.crt"))
            made = ApiServer(f"https://127.0.0.1:{secure}", context, token)
            if made.finds("/api/v1/namespaces/default"):
                return made
        except (OSError, RefusedError):  # not there yet: no certificate, no listener, not ready
            pass
        if server.poll() is not None or time.monotonic() > end:
            log = (folder / "kube-apiserver.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"kube-apiserver does not answer:\n{log[-3000:]}")
        time.sleep(0.2)


@contextmanager
def _process(log: Path, program: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen([str(program), *arguments], stdout=file, stderr=file, cwd=log.parent)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        open_ = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [made.getsockname()[1] for made in open_]


def _signing_key() -> str:
    """Return a new P-256 key as PEM; SEC 1 lets the public point be left out, so no library is needed."""
    curve = bytes.fromhex("06082a8648ce3d030107")
    scalar = secrets.token_bytes(31).rjust(32, b"\0")  # below the order of the curve
    parts = b"\x02\x01\x01" + b"\x04\x20" + scalar + b"\xa0" + bytes([len(curve)]) + curve
    text = base64.b64encode(b"\x30" + bytes([len(parts)]) + parts).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}\n-----END EC PRIVATE KEY-----\n"


# Somebody's


def opened(path: Path, folder: Path) -> ApiServer:
    """Return the server of a kubeconfig's current context; certificates that it holds are written to a folder."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    context = _named(config, "context", config["current-context"])
    cluster, user = _named(config, "cluster", context["cluster"]), _named(config, "user", context["user"])
    trust = ssl.create_default_context(cafile=_file(cluster, "certificate-authority", path, folder))
    if certificate := _file(user, "client-certificate", path, folder):
        trust.load_cert_chain(certificate, _file(user, "client-key", path, folder))
    token = user.get("token", "")
    if plugin := user.get("exec"):
        environment = {row["name"]: row["value"] for row in plugin.get("env") or ()}
        asked = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
        command = [plugin["command"], *(plugin.get("args") or ())]
        answer = subprocess.run(  # noqa: S603 - what kubectl would run
            command,
            env={**os.environ, **environment, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            check=True,
            capture_output=True,
        )
        token = json.loads(answer.stdout)["status"]["token"]
    return ApiServer(cluster["server"].rstrip("/"), trust, token)


def _named(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(row[kind] for row in config[f"{kind}s"] if row["name"] == name)
    return found


def _file(section: Mapping[str, Any], key: str, path: Path, folder: Path) -> str | None:
    """Return the file with a certificate or key, which a kubeconfig names or holds."""
    if f"{key}-data" in section:
        made = folder / key
        made.touch(mode=0o600)
        made.write_bytes(base64.b64decode(section[f"{key}-data"]))
        return str(made)
    return str(path.parent / section[key]) if key in section else None
