"""Where a secret value comes from. The stack file never holds one in plain text."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inference.settings.vocabulary import SecretName, Section

__all__ = ["SecretSource"]


class SecretSource(Section):
    """A version of a secret in Secret Manager, read at deployment and kept encrypted in the state."""

    secret: SecretName
    """ID of the secret in the stack's project."""
    version: Annotated[str, Field(pattern=r"^(latest|[1-9]\d*)$", examples=["1"])] = "latest"
    """Version to read; a number makes a change of the secret visible in the preview."""

    @property
    def path(self) -> str:
        """How Secret Manager names the version, below ``projects/<project>/secrets``."""
        return f"{self.secret}/versions/{self.version}"
