"""The system that procedures are tried on, as it was at one moment, and how it is put back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from chaos.kube import ClusterError, Json
from chaos.kube.system_under_test import SystemUnderTest
from chaos.undo.fields import show
from chaos.undo.footprint import Footprint, Key
from chaos.undo.objects import KEPT, changes, is_kept, kept_of

WITHIN = timedelta(hours=1)
"""So long after a snapshot, a drill that died is undone without anybody's word."""


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """The namespace's objects that people write, as they were at one moment.

    They tell what others changed since; what is put back is what the footprint says.
    """

    system: SystemUnderTest
    objects: list[Json] = field(default_factory=list)
    taken: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def take(cls, system: SystemUnderTest) -> "Snapshot":
        return cls(system=system, objects=list(_listed(system)))

    def restore(self, footprint: Footprint) -> list[str]:
        """Undo what was written; what was done and what others did, one entry for each object."""
        return [*footprint.undo(), *self._of_others(footprint)]

    def _of_others(self, footprint: Footprint) -> Iterator[str]:
        """What differs all the same is not the drill's: it stays, and is named."""
        was = {_key(o): o for o in self.objects}
        now = {_key(o): o for o in _listed(self.system)}
        written = {w.key for w in footprint.writes}
        for key in dict.fromkeys((*was, *now)):
            title = f"{key[0].lower()} {key[1]}"
            if key not in was:
                yield f"left alone, as the drill did not make it: {title}"
            elif key not in now:
                if key[0] != "Pod" or key not in written:
                    yield f"not made again, as the drill did not remove it: {title}"
            else:
                fields = [show(path) for path, *_ in changes(was[key], now[key])]
                if fields:
                    told = ", ".join(fields)
                    yield f"left as it is, as the drill did not change it: {title}: {told}"


def _listed(system: SystemUnderTest) -> Iterator[Json]:
    for kind in KEPT.values():
        try:
            found = system.cluster.objects(kind, system.namespace)
        except ClusterError as error:
            if error.status == httpx.codes.NOT_FOUND:
                continue  # no such kind here
            raise
        yield from (kept_of(obj) for obj in found if is_kept(obj))


def _key(obj: Json) -> Key:
    return obj["kind"], obj["metadata"]["name"]
