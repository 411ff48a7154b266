"""The engine's runs stay on this machine."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import variants
from tests.support.onengine import Stage
from tests.support.rehearsed import standing

pytestmark = pytest.mark.engine


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that lets nothing through: its address, and the first words of whoever came."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.settimeout(2)
                    came.append(caller.recv(200))

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)


def test_an_update_asks_the_network_for_nothing(proxy: tuple[str, list[bytes]], tmp_path: Path) -> None:
    address, came = proxy
    stage = Stage(tmp_path, "dev")
    stage.configure(variants.read(standing("dev")))
    through = dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), address
    )
    beside = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    done = stage.run("up", "--policy-pack", "policies", **through, **beside)
    assert done.status == 0, done.text
    assert not came


def test_the_proxy_would_notice(proxy: tuple[str, list[bytes]], tmp_path: Path) -> None:
    address, came = proxy
    stage = Stage(tmp_path, "dev")
    stage.configure(variants.read(standing("dev")))
    fetching = ["plugin", "install", "resource", "random", "4.16.7", "--non-interactive"]
    assert stage.home.run(fetching, {"HTTPS_PROXY": address, "HTTP_PROXY": address}, subprocess.DEVNULL) != 0
    assert any(words.startswith(b"CONNECT ") for words in came)
