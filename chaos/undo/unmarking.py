"""Taking a fault's mark off an object."""

from functools import partial

from chaos.kube import Cluster, Json, Ref
from chaos.undo import marks
from chaos.undo.fields import put, value_at
from chaos.undo.marks import LABEL


def unmark(cluster: Cluster, ref: Ref, fault: str) -> None:
    """Take a fault's mark off an object that it has not changed."""
    cluster.change(ref, partial(unmarking, fault=fault))


def unmarking(current: Json, fault: str) -> list[Json]:
    found: list[Json] = []
    for key in marks.keys(fault):
        if value_at(current, ("metadata", "annotations", key)):
            found += put(current, ("metadata", "annotations", key), ())
    label = value_at(current, ("metadata", "labels", LABEL))
    if label and all(other.id == fault for other in marks.marks(current)):
        found += put(current, ("metadata", "labels", LABEL), ())
    return found
