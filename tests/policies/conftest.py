"""Servicers over the sample rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pulumi_policy.policy as sdk
import pytest

from inference.rules.framework import Rule
from policies import configuration, pack
from policies.servicer import in_process_servicer
from tests.policies.samples import SOUND

MakeServicer = Callable[..., Any]


@pytest.fixture
def fast() -> MakeServicer:
    def make(given: Mapping[str, Any] | None = None, rules: Iterable[Rule] = SOUND) -> Any:
        return in_process_servicer(given, rules)

    return make


@pytest.fixture
def slow() -> MakeServicer:
    """The policy SDK's own loop over the same policies."""

    def make(given: Mapping[str, Any] | None = None, rules: Iterable[Rule] = SOUND) -> Any:
        kept = tuple(rules)
        made = sdk._PolicyAnalyzerServicer(
            pack.NAME, pack.version(), pack.policies(kept), sdk.EnforcementLevel.ADVISORY
        )
        made.Configure(configuration.request(given or {}, kept), None)
        return made

    return make
