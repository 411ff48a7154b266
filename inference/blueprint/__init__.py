"""What a stack file means: every pool and model with all that follows from settings and facts.

The settings have been checked; a fact that is needed here and missing is a defect of the checks and raises.
"""

from inference.blueprint.models import ModelPlan
from inference.blueprint.names import (
    API_KEY_SECRET,
    MODEL_LABEL,
    NAMESPACE,
    POOL_LABEL,
    SERVER_PORT,
    hub_token_secret,
)
from inference.blueprint.nim import NimPlan
from inference.blueprint.pools import GpuPoolPlan, PoolPlan, TpuPoolPlan
from inference.blueprint.stack import Blueprint, design

__all__ = [
    "API_KEY_SECRET",
    "MODEL_LABEL",
    "NAMESPACE",
    "POOL_LABEL",
    "SERVER_PORT",
    "Blueprint",
    "GpuPoolPlan",
    "ModelPlan",
    "NimPlan",
    "PoolPlan",
    "TpuPoolPlan",
    "design",
    "hub_token_secret",
]
