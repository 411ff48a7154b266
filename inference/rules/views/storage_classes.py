"""Which kind of disk a claim gets by its storage class."""

from __future__ import annotations

from inference.facts.gke import CSI_DRIVERS, DEFAULT_STORAGE_CLASS, DISK_STORAGE_CLASSES
from inference.rules.views.stack import Stack

__all__ = ["disk_type"]

_DEFAULT_MARK = "storageclass.kubernetes.io/is-default-class"


def disk_type(stack: Stack, storage_class: str | None) -> str | None:
    """Return the disk type that a class makes, where it makes Compute Engine disks and that is known.

    ``None`` as class is the default one.
    """
    classes = stack.objects("StorageClass", "storage.k8s.io")
    if storage_class is None:
        declared = [c for c in classes if c.annotations.get(_DEFAULT_MARK) == "true"]
        name = DEFAULT_STORAGE_CLASS
    else:
        declared = [c for c in classes if c.name == storage_class]
        name = storage_class
    if not declared:
        return DISK_STORAGE_CLASSES.get(name)
    provisioner = declared[0].props.text("provisioner")
    if provisioner not in {CSI_DRIVERS["persistent-disk"], "kubernetes.io/gce-pd"}:
        return None
    parameters = declared[0].props.section("parameters")
    return "pd-standard" if parameters.absent("type") else parameters.text("type")
