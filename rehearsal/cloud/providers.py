"""Which model answers for which package."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.cloud.gcp import Gcp
from rehearsal.cloud.kubernetes import Kubernetes
from rehearsal.cloud.model import Asked, CloudError, Created, Model

__all__ = ["model_of"]


class _Echo:
    """A provider of which nothing is known: every resource keeps its inputs and gets an id."""

    def check(self, asked: Asked) -> Mapping[str, object]:  # noqa: ARG002 - part of the protocol
        return {}

    def create(self, asked: Asked) -> Created:
        return Created(f"{asked.logical_name}-{asked.hexadecimal(7)}")

    def invoke(
        self,
        token: str,
        arguments: Mapping[str, object],  # noqa: ARG002 - part of the protocol
        configuration: Mapping[str, object],  # noqa: ARG002 - part of the protocol
    ) -> Mapping[str, object]:
        package = token.partition(":")[0]
        raise CloudError(
            f'the program calls {token}, and the rehearsal has no model of the package "{package}". '
            f"Add one in rehearsal/cloud/ and name it in rehearsal/cloud/providers.py."
        )


_MODELS: Mapping[str, Model] = {"gcp": Gcp(), "kubernetes": Kubernetes()}
_ECHO = _Echo()


def model_of(package: str) -> Model:
    """Return the model of a provider's package."""
    return _MODELS.get(package, _ECHO)
