"""What can go wrong in a rehearsal besides the settings."""

__all__ = ["EngineError", "ProgramError"]


class ProgramError(Exception):
    """The program failed. The message is for its author: a sentence, or a traceback where it is a bug."""


class EngineError(Exception):
    """The engine or a provider refuses what the program asks."""
