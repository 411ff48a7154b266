"""The Kubernetes API of a cluster as a plugin."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace

from inference.facts.wire import UNKNOWNS
from rehearsal import urns
from rehearsal.cloud import CloudError
from rehearsal.cloud.model import at
from rehearsal.providers import ties
from rehearsal.providers.provider import Comparison, Naming, Properties, Provider, opened
from rehearsal.providers.world import Record
from rehearsal.values import Secret

__all__ = ["Kubernetes"]

_AUTONAMED = "pulumi.com/autonamed"
_RELEASE = "kubernetes:helm.sh/v3:Release"
_SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
_CLUSTER = "gcp:container/cluster:Cluster"
_IDENTITY = ("kubeconfig", "context", "cluster")
"""Settings that say which cluster is meant."""


class Kubernetes(Provider):
    """Names are in the metadata; every object lies in one cluster."""

    package = "kubernetes"

    @property
    def cluster(self) -> str:
        """Id of the cluster in the configuration; empty where the stand-in cloud made none."""
        identifier, kubeconfig = (self.configuration.get(key) for key in ("clusterIdentifier", "kubeconfig"))
        if isinstance(identifier, str) and identifier:
            return identifier
        named = _cluster_entry(kubeconfig).get("name")
        return next((record.id for record in self.world.of_type(_CLUSTER) if record.name == named), "")

    def compare_configuration(self, old: Properties, new: Properties) -> Comparison:
        """Another cluster makes all objects anew: told by its identifier, else by the server in the kubeconfig."""
        found = super().compare_configuration(old, new).changes
        identified = new.get("clusterIdentifier")
        if identified and identified == old.get("clusterIdentifier"):
            return Comparison(found)
        forcing = {"renderYamlToDirectory"}
        if identified and old.get("clusterIdentifier"):
            forcing.add("clusterIdentifier")
        unknown = any(_unknown(new.get(key)) for key in _IDENTITY)
        if unknown or _cluster_entry(old.get("kubeconfig")) != _cluster_entry(new.get("kubeconfig")):
            forcing.update(_IDENTITY)
        return Comparison(tuple(replace(change, replaces=change.top in forcing) for change in found))

    def check(self, urn: str, old: Properties, new: Properties, naming: Naming) -> Properties:
        checked = super().check(urn, old, new, naming)
        if urns.resource_type(urn) != _SECRET:
            return checked
        hidden = {key: Secret(checked[key]) for key in ("data", "stringData") if key in checked}
        return {**checked, **{key: value for key, value in hidden.items() if not isinstance(checked[key], Secret)}}

    def kept_name(self, urn: str, old: Properties, new: Properties) -> Properties:
        if urns.resource_type(urn) == _RELEASE:
            return {"name": old["name"], "namespace": "default", **new} if old and "name" not in new else {}
        metadata, before = _metadata(new), _metadata(old)
        if "name" in metadata or at(before, "annotations", _AUTONAMED) != "true":
            return {}
        annotations = at(metadata, "annotations")
        annotations = annotations if isinstance(annotations, Mapping) else {}
        named = {"name": before["name"], "annotations": {**annotations, _AUTONAMED: "true"}}
        return {"metadata": {**metadata, **named}}

    def named(self, added: dict[str, object], naming: Naming) -> dict[str, object]:
        metadata = _metadata(added)
        if "name" not in metadata:
            return added
        if naming.disabled:
            raise CloudError("autonaming is disabled, resource requires the .metadata.name field to be set")
        return {**added, "metadata": {**metadata, "name": naming.proposed}} if naming.proposed else added

    def same_name(self, old: Properties, new: Properties) -> bool:
        before, after = _metadata(opened(old)), _metadata(opened(new))
        if "name" not in after or at(after, "annotations", _AUTONAMED) == "true":
            return False
        return all(before.get(key) == after.get(key) for key in ("name", "namespace"))

    def foresee(self, urn: str, inputs: Properties) -> Properties:
        """Return what a dry run of the API server tells: all but the status, nothing where an input is unknown."""
        if _holds_unknown(opened(inputs)):
            return inputs
        return {key: value for key, value in super().foresee(urn, inputs).items() if key != "status"}

    def foresee_update(self, urn: str, id_: str, inputs: Properties) -> Properties:
        """Return what a dry run tells, and refuse what the API server would.

        Raises:
            CloudError: where it refuses.
        """
        if _holds_unknown(opened(inputs)):
            return inputs
        standing = self.world.find(urns.resource_type(urn), id_, self.cluster)
        if standing and (refused := ties.update_refusal(standing, opened(inputs), self.world)):
            raise CloudError(refused)
        return super().foresee_update(urn, id_, inputs)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        self._reach()
        return super().create(urn, inputs)

    def update(self, urn: str, id_: str, inputs: Properties) -> Properties:
        self._reach()
        return super().update(urn, id_, inputs)

    def delete(self, urn: str, id_: str) -> None:
        self._reach()
        super().delete(urn, id_)

    def computed(self, outputs: Properties, record: Record) -> Properties:
        metadata = outputs.get("metadata")
        completed = dict(outputs)
        if isinstance(metadata, Mapping):
            completed["metadata"] = {
                **metadata,
                "generation": record.revision,
                "resourceVersion": str(record.revision),
            }
        if record.type == _SECRET:
            plain = opened({key: outputs[key] for key in ("data", "stringData") if key in outputs})
            texts, encoded = plain.get("stringData"), plain.get("data")
            given = {key: _encoded(text) for key, text in texts.items()} if isinstance(texts, Mapping) else {}
            completed["data"] = Secret({**(encoded if isinstance(encoded, Mapping) else {}), **given})
        return completed

    def _reach(self) -> None:
        if self.cluster and self.world.find(_CLUSTER, self.cluster) is None:
            raise CloudError(
                "configured Kubernetes cluster is unreachable: unable to load schema information from the API server "
                f"of {self.cluster}"
            )


def _metadata(inputs: Properties) -> Mapping[str, object]:
    metadata = inputs.get("metadata")
    metadata = metadata.value if isinstance(metadata, Secret) else metadata
    return metadata if isinstance(metadata, Mapping) else {}


def _encoded(text: object) -> str:
    return base64.b64encode(str(text).encode()).decode()


def _unknown(value: object) -> bool:
    return isinstance(value, str) and value in UNKNOWNS


def _holds_unknown(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_unknown(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_holds_unknown(inner) for inner in value)
    return _unknown(value)


def _cluster_entry(kubeconfig: object) -> Mapping[str, object]:
    """Return the cluster of the current context of a kubeconfig; empty where it is not plain to see."""
    if not isinstance(kubeconfig, str) or _unknown(kubeconfig):
        return {}
    try:
        content = json.loads(kubeconfig)
    except json.JSONDecodeError:
        return {}
    contexts, clusters = at(content, "contexts"), at(content, "clusters")
    current = at(content, "current-context")
    named = _entry(contexts, current)
    return _entry(clusters, at(named, "context", "cluster"))


def _entry(entries: object, name: object) -> Mapping[str, object]:
    listed = entries if isinstance(entries, list) else []
    return next((entry for entry in listed if isinstance(entry, Mapping) and entry.get("name") == name), {})
