"""What a human may set. Shapes only: whether it can work is judged by ``inference.checks``."""

from inference.settings.stack import NAMESPACE, SECTIONS, StackSettings

__all__ = ["NAMESPACE", "SECTIONS", "StackSettings"]
