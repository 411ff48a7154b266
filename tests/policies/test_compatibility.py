"""The servicer notices when the policy SDK is not the one it knows, and leaves the work to it."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import pulumi_policy.policy as sdk
import pytest

from policies import servicer
from policies.compatibility import CLASS, differences
from policies.servicer import Servicer, in_process_servicer
from tests.policies.conftest import MakeServicer
from tests.policies.samples import DEPLOYMENT, SOUND, deployment, request


def test_the_installed_sdk_is_the_one_that_the_servicer_knows() -> None:
    assert differences(sdk) == ()


def test_the_calls_that_are_overridden_have_not_changed() -> None:
    """A new version of the SDK may do more in these calls: read them, follow them, then write the new digest here."""
    own = sdk._PolicyAnalyzerServicer
    calls = (own.Analyze, own.AnalyzeStack, own._create_report_violation, sdk.PolicyPack.__init__)
    text = "\n".join(inspect.getsource(call) for call in calls)

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "eb4660517ff1206d"


def changed(**members: Any) -> Any:
    """A servicer of the SDK that lost or changed some members."""

    class Later(sdk._PolicyAnalyzerServicer):  # type: ignore[misc]
        pass

    for name, member in members.items():
        setattr(Later, name, member)
    return Later


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"_get_policy_config": None}, "no method _PolicyAnalyzerServicer._get_policy_config"),
        ({"Analyze": lambda self, request, context, more: None}, "takes request, context where request, _context"),
    ],
)
def test_another_sdk_judges_with_its_own_loop_and_the_log_says_so(
    members: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    later = changed(**members)
    monkeypatch.setattr(sdk, CLASS, later)

    assert servicer.servicer_class() is later
    servicer.install()

    assert getattr(sdk, CLASS) is later, "install leaves a changed SDK alone"
    assert said in caplog.text
    assert "requirements.txt" in caplog.text


def test_the_fallback_gives_the_same_verdicts(monkeypatch: pytest.MonkeyPatch, fast: MakeServicer) -> None:
    asked = request(DEPLOYMENT, deployment())
    usual = fast().Analyze(asked, None)
    monkeypatch.setattr(servicer, "differences", lambda _: ("something is different",))

    fallback = in_process_servicer({}, SOUND)

    assert not isinstance(fallback, Servicer)
    assert fallback.Analyze(asked, None) == usual
    assert len(usual.diagnostics) == 2


def test_an_sdk_without_a_servicer_is_named_and_not_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sdk, CLASS)

    servicer.install()

    assert not hasattr(sdk, CLASS)
    with pytest.raises(RuntimeError, match="_PolicyAnalyzerServicer"):
        servicer.servicer_class()


def test_a_policy_pack_that_makes_its_servicer_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherPack:
        def __init__(self) -> None:
            pass

    monkeypatch.setattr(sdk, "PolicyPack", OtherPack)

    assert differences(sdk) == (f"PolicyPack does not make its servicer by the name {CLASS}",)


def test_installing_twice_is_installing_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, CLASS, getattr(sdk, CLASS))

    servicer.install()
    servicer.install()

    assert getattr(sdk, CLASS) is Servicer
