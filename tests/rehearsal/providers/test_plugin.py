"""The plugin as a process, as the engine starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.support.stacks import ROOT

COMMAND = [sys.executable, "-P", "-m", "rehearsal.providers"]


@pytest.mark.parametrize("package", ["gcp", "kubernetes"])
def test_a_plugin_tells_its_port_and_the_version_of_the_sdk(package: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REHEARSAL_CLOUD": str(tmp_path)}
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, package], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                agreed = stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
                assert agreed.accept_secrets
                version = stub.GetPluginInfo(empty_pb2.Empty()).version
                assert version == metadata.version(f"pulumi_{package}")
        finally:
            process.kill()


def test_a_plugin_ends_when_the_engine_was_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REHEARSAL_CLOUD": str(tmp_path)}
    engine = (
        "import os, subprocess, sys\n"
        "plugin = subprocess.Popen(sys.argv[1:])\n"
        "print(plugin.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", engine, *COMMAND, "kubernetes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert int(process.stdout.readline())
        assert int(process.stdout.readline())
        process.stdin.close()
        rest = process.stdout.read()
    assert rest == ""
