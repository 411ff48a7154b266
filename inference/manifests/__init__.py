"""Kubernetes objects as plain camelCase dictionaries. Nothing here creates anything."""
