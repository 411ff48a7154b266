"""What the servicer relies on in the policy SDK, and whether the installed SDK still has it.

The servicer replaces two calls of a class that the SDK keeps to itself. Where the class looks different, the pack
must not guess: it then leaves the work to the SDK's own loop, which is slower and gives the same verdicts.
"""

from __future__ import annotations

import inspect
from types import ModuleType

__all__ = ["CLASS", "differences"]

CLASS = "_PolicyAnalyzerServicer"
"""The class that answers the engine."""

_METHODS = {
    "__init__": ("name", "version", "policies", "enforcement_level"),
    "Analyze": ("request", "_context"),
    "AnalyzeStack": ("request", "_context"),
    "Configure": ("request", "_context"),
    "ConfigureStack": ("request", "_context"),
    "GetAnalyzerInfo": ("_request", "_context"),
    "_get_enforcement_level": ("policy",),
    "_get_policy_config": ("name",),
    "_create_report_violation": ("response", "policy_name", "policy_description", "enforcement_level", "severity"),
}
"""Methods that are overridden or called, with the parameters they are called with, in order."""


def differences(sdk: ModuleType) -> tuple[str, ...]:
    """Return what the SDK's policy module lacks; empty where the servicer can do its work."""
    servicer = getattr(sdk, CLASS, None)
    if not inspect.isclass(servicer):
        return (f"no class {CLASS}",)
    found = []
    for name, wanted in _METHODS.items():
        method = getattr(servicer, name, None)
        if not inspect.isfunction(method):
            found.append(f"no method {CLASS}.{name}")
        elif (parameters := tuple(inspect.signature(method).parameters)[1 : len(wanted) + 1]) != wanted:
            found.append(f"{CLASS}.{name} takes {', '.join(parameters)} where {', '.join(wanted)} is expected")
    pack = getattr(sdk, "PolicyPack", None)
    if not inspect.isclass(pack) or CLASS not in pack.__init__.__code__.co_names:
        found.append(f"PolicyPack does not make its servicer by the name {CLASS}")
    return tuple(found)
