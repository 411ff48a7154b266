"""Google Cloud as a plugin: names in the inputs, replacement as the SDK documents it."""

from __future__ import annotations

from rehearsal.cloud import CloudError
from rehearsal.providers.forcing import documented
from rehearsal.providers.provider import Naming, Properties, Provider

__all__ = ["Gcp"]

_DEFAULTS = "__defaults"
"""Where the provider notes which inputs are its own."""


class Gcp(Provider):
    """Names are inputs that the provider fills in and keeps."""

    package = "gcp"

    def kept_name(self, urn: str, old: Properties, new: Properties) -> Properties:  # noqa: ARG002 - the same for all
        if "name" in new or not _autonamed(old):
            return {}
        return {"name": old["name"], _DEFAULTS: ["name"]}

    def named(self, added: dict[str, object], naming: Naming) -> dict[str, object]:
        if not _autonamed(added):
            return added
        if naming.disabled:
            raise CloudError("automatic naming is switched off, and the program gives no name")
        return {**added, "name": naming.proposed} if naming.proposed else added

    def forces(self, token: str, path: str) -> bool:
        return super().forces(token, path) or documented(token, path)

    def same_name(self, old: Properties, new: Properties) -> bool:
        return "name" in new and old.get("name") == new["name"] and not _autonamed(new)


def _autonamed(inputs: Properties) -> bool:
    defaults = inputs.get(_DEFAULTS)
    return isinstance(defaults, list) and "name" in defaults
