"""Data that goes when its resource does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rehearsal.naming import called
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, forcing, moves

__all__ = ["dangers"]

_CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
_BUCKET = "gcp:storage/bucket:Bucket"

_HOLDING: Mapping[str, str] = {
    "gcp:alloydb/cluster:Cluster": "every database in it",
    "gcp:artifactregistry/repository:Repository": "every image in it",
    "gcp:bigquery/dataset:Dataset": "every table in it",
    "gcp:bigquery/table:Table": "every row in it",
    "gcp:compute/disk:Disk": "all that is on the disk",
    "gcp:compute/regionDisk:RegionDisk": "all that is on the disk",
    "gcp:filestore/instance:Instance": "every file on it",
    "gcp:firestore/database:Database": "every document in it",
    "gcp:kms/cryptoKey:CryptoKey": "what is encrypted with its versions, for good",
    "gcp:lustre/instance:Instance": "every file on it",
    "gcp:netapp/volume:Volume": "every file on it",
    "gcp:parallelstore/instance:Instance": "every file on it",
    "gcp:pubsub/topic:Topic": "messages that nobody has taken yet",
    "gcp:redis/instance:Instance": "every key in it",
    "gcp:secretmanager/secret:Secret": "every version of the secret",
    "gcp:spanner/database:Database": "every row in it",
    "gcp:spanner/instance:Instance": "every database in it",
    "gcp:sql/database:Database": "every row in it",
    "gcp:sql/databaseInstance:DatabaseInstance": "every database in it, and its backups",
}
"""What is lost with a resource."""

_KEEP = "Copy what is needed first, or keep it: protect, or retainOnDelete when the program lets go of it."


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield what holds data and is deleted or replaced."""
    for moved in moves(change, _BUCKET):
        yield from _bucket(moved)
    for moved in moves(change, *_HOLDING):
        if moved.lost:
            token = moved.entry.old.type if moved.entry.old else ""
            yield _danger(moved, f"{_word(moved)}: {_HOLDING[token]} is lost.")
    for moved in moves(change, _CLAIM):
        if moved.lost:
            told = "The disk or share behind it goes too, unless its storage class retains it; a cache fills anew."
            yield _danger(moved, f"{_word(moved)}. {told}")
    for moved in moves(change, _NAMESPACE):
        if moved.lost:
            yield _danger(moved, f"{_word(moved)}: everything in the namespace goes with it, claims of disks included.")
    for moved in moves(change, _STATEFUL_SET):
        yield from _stateful_set(moved)


def _word(moved: Moved) -> str:
    reason = forcing(moved.entry)
    if moved.op == "delete":
        return "It is deleted"
    return f"It is replaced ({reason})" if reason else "It is replaced"


def _name(moved: Moved) -> str:
    assert moved.before is not None  # noqa: S101 - it was there
    return called(moved.before)


def _danger(moved: Moved, consequence: str, remedy: str = _KEEP, *, grave: bool = True) -> Danger:
    return Danger(
        kind="data", urn=moved.entry.urn, resource=_name(moved), consequence=consequence, remedy=remedy, grave=grave
    )


def _bucket(moved: Moved) -> Iterator[Danger]:
    if moved.before is None:
        return
    if moved.lost:
        if moved.before.props.flag("forceDestroy") is True:
            yield _danger(moved, f"{_word(moved)} with all objects in it, as forceDestroy is set.")
        else:
            told = "It fails while the bucket holds objects, and the update stops there"
            yield _danger(moved, f"{_word(moved)}. {told}.", "Move the objects first, or keep the bucket.")
    elif moved.after is not None:
        old, new = (side.props.flag("forceDestroy") for side in (moved.before, moved.after))
        if new is True and old is not True:
            told = "forceDestroy is set: the next deletion or replacement takes all objects along."
            yield _danger(moved, told, "Leave it unset where the objects matter.")


def _stateful_set(moved: Moved) -> Iterator[Danger]:
    if moved.before is None or not moved.lost:
        return
    spec = moved.before.props.section("spec")
    if not spec.sections("volumeClaimTemplates"):
        return
    if spec.text("persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
        yield _danger(moved, f"{_word(moved)}, and its claims with it: whenDeleted is Delete.")
    elif moved.touches("spec.volumeClaimTemplates"):
        told = "The claims of the old one stay and are taken over as they are; changed templates do not reach them"
        yield _danger(moved, f"{_word(moved)}. {told}.", "Migrate the claims by hand, or name new ones.")
    else:
        told = "Its claims stay behind, and so do their disks and what they cost"
        yield _danger(moved, f"{_word(moved)}. {told}.", "Delete the claims when the data is not needed.", grave=False)
