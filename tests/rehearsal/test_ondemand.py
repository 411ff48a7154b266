"""A service's package of the cloud SDK is the same whether it is loaded at once or name by name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.stacks import ROOT

NAMES = """
import importlib, json, sys
package = importlib.import_module("pulumi_gcp." + sys.argv[1])
package._utilities
found = {name: each for name, each in vars(package).items() if not name.startswith("_") and name != "typing"}
print(json.dumps({name: [getattr(each, "__module__", ""), repr(type(each))] for name, each in found.items()}))
"""

ONE_BY_ONE = """
import json, sys
from rehearsal.ondemand import names_on_demand
with names_on_demand():
    import pulumi_gcp
    package = getattr(pulumi_gcp, sys.argv[1])
    found = {name: getattr(package, name) for name in json.load(sys.stdin)}
print(json.dumps({name: [getattr(each, "__module__", ""), repr(type(each))] for name, each in found.items()}))
"""

FEW = """
import sys
from rehearsal.ondemand import names_on_demand
with names_on_demand():
    from pulumi_gcp import compute
    assert compute.Network.__name__ == "Network"
    assert compute.RouterNat.__module__ == "pulumi_gcp.compute.router_nat"
    assert compute.NetworkArgs and compute.get_network_output and compute.outputs
loaded = [name for name in sys.modules if name.startswith("pulumi_gcp.compute.")]
assert len(loaded) < 10, loaded
try:
    compute.NoSuchThing
except AttributeError as error:
    print(error)
"""


def run(code: str, *arguments: str, given: str = "") -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=True).stdout  # noqa: S603 - the interpreter itself


@pytest.mark.parametrize("service", ["container", "storage", "certificatemanager", "servicenetworking"])
def test_every_name_is_what_it_is_in_the_whole_package(service: str) -> None:
    whole = json.loads(run(NAMES, service))
    assert len(whole) > 10
    assert json.loads(run(ONE_BY_ONE, service, given=json.dumps(list(whole)))) == whole
    assert json.loads(run(ONE_BY_ONE, service, given=json.dumps(sorted(whole, reverse=True)))) == whole


def test_a_name_loads_its_own_module_and_an_unknown_one_is_an_ordinary_error() -> None:
    assert "has no attribute 'NoSuchThing'" in run(FEW)
