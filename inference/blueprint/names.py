"""Names that objects of different rooms know each other by."""

from __future__ import annotations

__all__ = ["API_KEY_SECRET", "MODEL_LABEL", "NAMESPACE", "POOL_LABEL", "SERVER_PORT", "hub_token_secret"]

NAMESPACE = "inference"
"""Kubernetes namespace of models, pickers, routes and the gateway."""

POOL_LABEL = "gke-inference/pool"
"""Node label that models select their pool by; GKE's own label carries a name that is not known beforehand."""

MODEL_LABEL = "gke-inference/model"
"""Pod label that Services and InferencePools select a model by."""

API_KEY_SECRET = "model-api-key"  # noqa: S105 - a name
"""Kubernetes Secret with the key that clients must send, under the key ``api-key``."""

SERVER_PORT = 8000
"""Port of every model server."""


def hub_token_secret(model: str) -> str:
    """Return the name of the Kubernetes Secret with a model's token of the Hub."""
    return f"{model}-hub-token"
