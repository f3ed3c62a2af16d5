"""What a namespace was before a drill, kept in the namespace itself until it is so again.

A Secret, because the objects of a namespace have secrets in them: so that `gameday recover` needs
nothing but the cluster, as for every fault. One at a time; the Lease sees to that. It says when it
was taken and for which drill: what is old must not undo, by itself, what people did since.
"""

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime

from chaos.cluster import Cluster, ClusterError, Json, Ref, kind_of
from chaos.procedures.access import withdraw
from chaos.procedures.world import BEFORE, KEPT, WITHIN, Snapshot, World

TAKEN, DRILL = "gameday.dev/taken", "gameday.dev/drill"
_KEY = "objects.json.gz"
_CONFLICT = 409


class BeforeError(Exception):
    """What is kept must not be put back without somebody's word; the message is one sentence."""


def keep(snapshot: Snapshot, drill: str) -> None:
    """Before anything is changed, under the name of a drill that there is only once.

    Raises ClusterError, also where what another drill kept is still there: that is never lost.
    """
    world = snapshot.world
    ref = _ref(world.namespace)
    data = gzip.compress(json.dumps(snapshot.objects).encode(), mtime=0)
    notes = {TAKEN: snapshot.taken.isoformat(), DRILL: drill}
    manifest: Json = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "annotations": notes},
        "type": "Opaque",
        "data": {_KEY: base64.b64encode(data).decode()},
    }
    try:
        world.cluster.make(ref, manifest)
    except ClusterError as error:
        if error.status != _CONFLICT:
            raise
        there = world.cluster.find(ref) or {}
        if (there.get("metadata", {}).get("annotations") or {}).get(DRILL) != drill:
            raise
        # Ours: only the answer was lost.


def forget(world: World) -> None:
    """Everything is what it was."""
    world.cluster.delete(_ref(world.namespace))


def is_left(cluster: Cluster, namespace: str) -> bool:
    """Did a drill die here, or does one live? Raises ClusterError."""
    return cluster.find(_ref(namespace)) is not None


def put_back(cluster: Cluster, namespace: str, *, force: bool = False) -> list[str] | None:
    """Make it what it was before a drill that died; None where none did.

    What was kept over an hour ago is put back with `force` alone. Raises ClusterError, BeforeError.
    """
    found = cluster.find(_ref(namespace))
    if found is None:
        return None
    world = World(cluster=cluster, namespace=namespace, workload="", url="")
    snapshot = _read(world, found)
    age = datetime.now(UTC) - snapshot.taken
    if age > WITHIN and not force:
        raise BeforeError(
            f"{_ref(namespace)} is what a drill that died kept {age.total_seconds() / 3600:.1f} h"
            " ago, and putting it back would undo what was changed since:"
            " gameday recover --force does it"
        )
    done = snapshot.restore()
    withdraw(cluster, namespace)
    forget(world)
    return done


def _read(world: World, found: Json) -> Snapshot:
    try:
        taken = datetime.fromisoformat(found["metadata"]["annotations"][TAKEN])
        objects = _objects(found)
        return Snapshot(world=world, objects=objects, taken=taken.astimezone(UTC))
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as why:
        ref = _ref(world.namespace)
        raise BeforeError(
            f"{ref} is damaged, so what a drill changed cannot be put back by itself:"
            f" look at the namespace, then kubectl -n {ref.namespace} delete secret {ref.name}"
        ) from why


def _objects(found: Json) -> list[Json]:
    """What was there: something, as else everything would be removed. Raises what _read expects."""
    objects: list[Json] = json.loads(gzip.decompress(base64.b64decode(found["data"][_KEY])))
    names = [(o["kind"], o["metadata"]["name"], o["metadata"]["namespace"]) for o in objects]
    if not names or not {kind for kind, *_ in names} <= {k.kind for k in KEPT}:
        raise ValueError(_KEY)
    return objects


def _ref(namespace: str) -> Ref:
    return Ref(kind_of("Secret"), BEFORE, namespace)
