"""What the stand-in cloud gets wrong on purpose, as the environment says. Tests use it; nobody else has to."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

from rehearsal.cloud import CloudError

__all__ = ["FAIL_CREATE", "HOLD_CREATE", "LOSE_CREATE", "Faults"]

FAIL_CREATE = "REHEARSAL_FAIL_CREATE"
"""A pattern: a creation whose URN contains it fails as for want of capacity."""

HOLD_CREATE = "REHEARSAL_HOLD_CREATE"
"""A pattern: a creation whose URN contains it takes until the engine gives up or ends."""

LOSE_CREATE = "REHEARSAL_LOSE_CREATE"
"""A pattern: a creation whose URN contains it happens, and the engine never hears of it."""

_PAUSE = 0.05
"""Seconds between two looks whether the engine still waits."""


class Faults:
    """The faults of one process."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._fail = environment.get(FAIL_CREATE, "")
        self._hold = environment.get(HOLD_CREATE, "")
        self._lose = environment.get(LOSE_CREATE, "")
        self.cancelled = threading.Event()
        """Set when the engine wants an end."""

    def before_creation(self, urn: str, awaited: Callable[[], bool]) -> None:
        """Stand in the way of a creation.

        Args:
            urn: the resource.
            awaited: tells whether the engine still waits for the answer.

        Raises:
            CloudError: where the creation fails.
        """
        if self._fail and re.search(self._fail, urn):
            raise CloudError(
                "googleapi: Error 429: ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS (GCE_STOCKOUT): the zone does not "
                "have enough resources available to fulfill the request. Try a different zone, or try again later."
            )
        if self._hold and re.search(self._hold, urn):
            self._stand(awaited)
        if not awaited():
            raise CloudError("the engine no longer waits for the answer")

    def after_creation(self, urn: str, awaited: Callable[[], bool]) -> None:
        """Stand between a creation and its answer; takes what ``before_creation`` takes.

        Raises:
            CloudError: where there is no answer.
        """
        if self._lose and re.search(self._lose, urn):
            self._stand(awaited)

    def _stand(self, awaited: Callable[[], bool]) -> NoReturn:
        while awaited() and not self.cancelled.is_set():
            time.sleep(_PAUSE)
        raise CloudError("the operation was interrupted")
