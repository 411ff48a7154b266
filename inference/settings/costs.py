"""Costs: budgets that the policies hold the stack to, prices that were agreed on, throughput that was measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inference.settings.vocabulary import DnsLabel, Section

__all__ = ["AgreedPriceSettings", "BudgetSettings", "CostSettings"]

_Dollars = Annotated[float, Field(ge=0, le=1e12, strict=False)]


class BudgetSettings(Section):
    """US dollars for a month of 730 hours; the policy ``costs-stack-within-budget`` holds the stack to them."""

    idle: _Dollars | None = None
    """What the stack may cost with the fewest nodes; left out, whatever it costs."""
    maximum: _Dollars | None = None
    """What the stack may cost with the most nodes that its autoscalers may run; left out, whatever it costs."""


class AgreedPriceSettings(Section):
    """What was agreed on instead of a list price, US dollars for one unit: an hour of a node, GPU or TPU chip."""

    usd: _Dollars | None = None
    """However it is bought; for a GiB of storage, a month of it."""
    on_demand: _Dollars | None = None
    """On demand."""
    spot: _Dollars | None = None
    """As spot capacity."""
    reservation: _Dollars | None = None
    """From a reservation, a calendar booking included."""
    flex_start: _Dollars | None = None
    """With flex-start or queued provisioning."""


class CostSettings(Section):
    """What is known about money. Nothing is deployed differently because of it."""

    monthly_budget: BudgetSettings = BudgetSettings()
    """The most that the stack may cost."""
    prices: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")], AgreedPriceSettings] = Field(
        default={}, examples=[{"a3-ultragpu-8g": {"reservation": 61.5}, "gke-cluster": {"usd": 0}}]
    )
    """Agreed prices by machine type, GPU type, TPU generation, disk type, or ``gke-cluster``, ``forwarding-rules`` …"""
    measured_tokens_per_second: dict[DnsLabel, Annotated[float, Field(gt=0, le=1e9, strict=False)]] = Field(
        default={}, examples=[{"kimi": 2400}]
    )
    """Tokens that one replica of a model was measured to generate in a second; gives the price of a million."""
