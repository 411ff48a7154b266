"""Objects that a cluster refuses: each one of the house's own with one thing wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.stackobjects import STACKS, manifests

__all__ = ["SPOILED", "Spoiled"]


@dataclass(frozen=True)
class Spoiled:
    """One thing wrong with one object."""

    name: str
    stack: str
    kind: str
    edit: Callable[[Any], object]
    says: str
    """Regular expression of what the refusal says, here and in a cluster."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The object with its fault."""
        found = next(thing for thing in manifests(STACKS[self.stack]) if thing["kind"] == self.kind)
        made = copy.deepcopy(dict(found))
        self.edit(made["spec"])
        return made


def _first_container(spec: Any) -> Any:
    return spec["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"][0]


def _http(spec: Any) -> Any:
    return spec["default"]["config"]["httpHealthCheck"]


SPOILED = (
    # fields that the definition does not have
    Spoiled("a field too much", "prod", "Gateway", lambda s: s.update(listener=[]), r"spec\.listener\b"),
    Spoiled("a field too much in a pod template", "prod", "LeaderWorkerSet",
            lambda s: _first_container(s).update(imagePullPolice="Always"), "imagePullPolice"),
    Spoiled("a field too much in a list", "prod", "InferencePool",
            lambda s: s["targetPorts"][0].update(port=1), r"targetPorts\[0\]\.port"),
    Spoiled("a misspelled mode", "prod", "GKENetworkParamSet", lambda s: s.update(devicemode="RDMA"), "devicemode"),
    # values
    Spoiled("a bad enum", "prod", "GKENetworkParamSet", lambda s: s.update(deviceMode="rdma"), "deviceMode"),
    Spoiled("a bad enum in a group", "prod", "LeaderWorkerSet",
            lambda s: s["leaderWorkerTemplate"].update(restartPolicy="Always"), "restartPolicy"),
    Spoiled("a number as text", "prod", "LeaderWorkerSet", lambda s: s.update(replicas="1"), "replicas"),
    Spoiled("a number past 32 bits", "prod", "LeaderWorkerSet", lambda s: s.update(replicas=2**40), "replicas"),
    Spoiled("too many ports", "prod", "InferencePool",
            lambda s: s.update(targetPorts=[{"number": 8000 + n} for n in range(9)]), "targetPorts"),
    Spoiled("a required field left out", "prod", "HTTPRoute",
            lambda s: s["parentRefs"][0].pop("name"), r"parentRefs\[0\].*name|name.*required"),
    Spoiled("a text that no pattern allows", "prod", "HTTPRoute",
            lambda s: s["rules"][0].update(timeouts={"request": "900"}), "timeouts"),
    Spoiled("an interval without a unit", "prod", "PodMonitoring",
            lambda s: s["endpoints"][0].update(interval="30"), "interval"),
    Spoiled("a listener twice", "prod", "Gateway",
            lambda s: s["listeners"].append({**s["listeners"][0], "port": 8443}), r"listeners\[1\]|duplicate"),
    # rules
    Spoiled("a port twice", "prod", "InferencePool",
            lambda s: s.update(targetPorts=[{"number": 8000}, {"number": 8000}]), "must be unique"),
    Spoiled("a picker without a port", "prod", "InferencePool",
            lambda s: s["endpointPickerRef"].pop("port"), "port is required when kind is 'Service'"),
    Spoiled("an answer that takes longer than its request", "prod", "HTTPRoute",
            lambda s: s["rules"][0].update(timeouts={"request": "10s", "backendRequest": "1m"}),
            "backendRequest timeout cannot be longer"),
    Spoiled("a path that begins with no slash", "prod", "HTTPRoute",
            lambda s: s["rules"][0].update(matches=[{"path": {"type": "PathPrefix", "value": "v1"}}]),
            "must be an absolute path"),
    Spoiled("a Service without a port", "prod", "HTTPRoute",
            lambda s: s["rules"][0].update(backendRefs=[{"name": "server"}]), "Must have port for Service"),
    Spoiled("a certificate for no TLS", "prod", "Gateway",
            lambda s: s["listeners"][0].update(protocol="HTTP", tls={"mode": "Terminate", "certificateRefs": [{"name": "c"}]}),
            "tls must not be specified"),
    Spoiled("a check without its way to the port", "prod", "HealthCheckPolicy",
            lambda s: _http(s).pop("portSpecification"), "(?i)port"),
    Spoiled("a check that waits longer than it pauses", "prod", "HealthCheckPolicy",
            lambda s: s["default"].update(checkIntervalSec=5, timeoutSec=6), "(?i)interval|timeout"),
    Spoiled("a scrape that takes longer than its interval", "prod", "PodMonitoring",
            lambda s: s["endpoints"][0].update(interval="10s", timeout="20s"), "scrape timeout"),
    Spoiled("a port of none", "prod", "PodMonitoring", lambda s: s["endpoints"][0].update(port=0), "(?i)port"),
    Spoiled("a label that belongs to somebody else", "prod", "PodMonitoring",
            lambda s: s["endpoints"][0].update(metricRelabeling=[{"targetLabel": "cluster"}]), "protected label"),
    Spoiled("replicas and scaling", "kserve-tpu-v6e", "LLMInferenceService",
            lambda s: s.update(scaling={"maxReplicas": 2, "wva": {"hpa": {}}}), "replicas"),
    Spoiled("more replicas than there may be", "kserve-tpu-v6e", "LLMInferenceService",
            lambda s: (s.pop("replicas"), s.update(scaling={"minReplicas": 3, "maxReplicas": 2, "wva": {"hpa": {}}})),
            "minReplicas"),
    # the house's own extracts
    Spoiled("a fallback that nobody knows", "capacity-fallback", "ComputeClass",
            lambda s: s.update(whenUnsatisfiable="Wait"), "whenUnsatisfiable"),
    Spoiled("a domain of less than nobody", "a4x-gb200", "ComputeDomain", lambda s: s.update(numNodes=-1), "numNodes"),
    Spoiled("a callout without a Service", "llm-d-pattern-2", "GCPRoutingExtension",
            lambda s: s["extensionChains"][0]["extensions"][0]["backendRef"].update(kind="Deployment"), "kind"),
)  # fmt: skip
"""What a cluster refuses when the object is written."""
