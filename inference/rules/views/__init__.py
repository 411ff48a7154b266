"""Typed, read-only views of wire-level resources; the vocabulary in which rules are written."""
