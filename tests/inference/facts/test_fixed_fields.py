"""Fields that no update changes are found by the API version and kind of a manifest, and of the wire."""

from __future__ import annotations

import pytest

from inference.facts.fixed_fields import fixed_fields


@pytest.mark.parametrize(
    ("api_version", "kind", "fields"),
    [
        ("resource.k8s.io/v1", "ResourceClaimTemplate", ("spec",)),
        ("storage.k8s.io/v1", "StorageClass", ("reclaimPolicy", "volumeBindingMode")),
        ("v1", "PersistentVolumeClaim", ("spec.dataSource", "spec.dataSourceRef", "spec.volumeMode")),
        ("core/v1", "PersistentVolumeClaim", ("spec.dataSource", "spec.dataSourceRef", "spec.volumeMode")),
        ("example.com/v1", "StorageClass", ()),
        ("apps/v1", "Deployment", ()),
    ],
)
def test_the_fixed_fields_of_a_kind(api_version: str, kind: str, fields: tuple[str, ...]) -> None:
    assert fixed_fields(api_version, kind) == fields
