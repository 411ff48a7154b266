"""Entry point: ``python -m rehearsal.providers gcp`` serves a provider and prints its port, as plugins do."""

import gc
import os
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from rehearsal.providers.faults import Faults
from rehearsal.providers.gcp import Gcp
from rehearsal.providers.kubernetes import Kubernetes
from rehearsal.providers.servicer import Servicer
from rehearsal.providers.world import World

_MESSAGE = 400 * 1024 * 1024
"""Bytes of one message, as the engine sets it."""
_WORKERS = 32
"""Calls at a time; the engine starts twice as many steps as there are cores."""
_LOOK = 0.5
"""Seconds between two looks whether the engine still lives."""

PROVIDERS = {"gcp": Gcp, "kubernetes": Kubernetes}


def main() -> None:
    """Serve until the engine ends the process, or ends."""
    gc.set_threshold(1_000_000)
    provider = PROVIDERS[sys.argv[1]](World(Path(os.environ["REHEARSAL_CLOUD"])))
    options = [("grpc.max_receive_message_length", _MESSAGE), ("grpc.max_send_message_length", _MESSAGE)]
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, Faults()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def _end_with(parent: int) -> None:
    """End when the engine is gone: killed, it can tell nobody."""
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)


if __name__ == "__main__":
    main()
