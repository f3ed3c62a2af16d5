"""What a namespace was before a drill, kept in the namespace itself until it is so again.

A Secret, because the objects of a namespace have secrets in them: so that `gameday recover` needs
nothing but the cluster, as for every fault. One at a time; the Lease sees to that. It says when it
was taken and for which drill: what is old must not undo, by itself, what people did since.
"""

import base64
import gzip
import io
import json
import zlib
from contextlib import suppress
from datetime import UTC, datetime

from chaos.databases.password import PasswordBack
from chaos.kube import Cluster, ClusterError, Json, Ref, kind_of
from chaos.kube.operator_account import withdraw
from chaos.kube.system_under_test import SystemUnderTest, wait
from chaos.undo import known_snapshots
from chaos.undo.footprint import Footprint, Write, as_json, from_json, homes
from chaos.undo.objects import BEFORE, KEPT
from chaos.undo.snapshot import WITHIN, Snapshot

TAKEN, DRILL = "gameday.dev/taken", "gameday.dev/drill"
_KEY = "objects.json.gz"
_WRITES = "writes.json.gz"  # what the drill and its steps wrote: this alone is undone
_PASSWORD = "password.json"  # a password inside a database is no object of the cluster
_KEPT_OF_PASSWORD = ("old", "new", "pods", "port", "user")
_PASSWORD_WITHIN_S = 30.0
_CONFLICT = 409
LARGEST_BYTES = 64 * 2**20
"""Of a snapshot: a Secret of 1 MiB could be unpacked to a thousand times as much."""


class SnapshotStoreError(Exception):
    """What is kept must not be put back without somebody's word; the message is one sentence."""


def keep(snapshot: Snapshot, drill: str) -> None:
    """Before anything is changed, under the name of a drill that there is only once.

    Raises ClusterError, also where what another drill kept is still there: that is never lost.
    """
    system = snapshot.system
    ref = _ref(system.namespace)
    objects, writes = _packed(snapshot.objects), _packed([])
    known_snapshots.remember(objects + writes)
    notes = {TAKEN: snapshot.taken.isoformat(), DRILL: drill}
    manifest: Json = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "annotations": notes},
        "type": "Opaque",
        "data": {_KEY: _text(objects), _WRITES: _text(writes)},
    }
    try:
        system.cluster.make(ref, manifest)
    except ClusterError as error:
        if error.status != _CONFLICT:
            raise
        there = system.cluster.find(ref) or {}
        if (there.get("metadata", {}).get("annotations") or {}).get(DRILL) != drill:
            raise
        # Ours: only the answer was lost.


def keep_writes(system: SystemUnderTest, writes: list[Write]) -> None:
    """Before each of them is made, and after. Raises ClusterError, also where nothing is kept."""
    packed = _packed(as_json(writes))
    old = new = b""

    def change(found: Json) -> list[Json]:
        nonlocal old, new
        old, new = _data(found), _data({"data": {**found["data"], _WRITES: _text(packed)}})
        if old == new:
            return []
        known_snapshots.remember(new)
        return [{"op": "add", "path": f"/data/{_WRITES}", "value": _text(packed)}]

    ref = _ref(system.namespace)
    if system.cluster.change(ref, change) is None:
        raise ClusterError(f"there is no {ref}")
    if old != new:
        known_snapshots.forget(old)


def keep_password(back: PasswordBack) -> None:
    """Before a drill changes it: once the Secret is put back, nothing else has the new password.

    Raises ClusterError, also where nothing is kept yet.
    """
    kept = {name: getattr(back, name) for name in _KEPT_OF_PASSWORD}
    data = base64.b64encode(json.dumps(kept).encode()).decode()
    change = [{"op": "add", "path": f"/data/{_PASSWORD}", "value": data}]
    ref = _ref(back.system.namespace)
    if back.system.cluster.change(ref, lambda _: change) is None:
        raise ClusterError(f"there is no {ref}")


def forget(system: SystemUnderTest) -> None:
    """Everything is what it was."""
    found = system.cluster.find(_ref(system.namespace))
    system.cluster.delete(_ref(system.namespace))
    with suppress(KeyError, TypeError, ValueError):
        known_snapshots.forget(_data(found or {}))


def is_left(cluster: Cluster, namespace: str) -> bool:
    """Did a drill die here, or does one live? Raises ClusterError."""
    return cluster.find(_ref(namespace)) is not None


def put_back(cluster: Cluster, namespace: str, *, force: bool = False) -> list[str] | None:
    """Make it what it was before a drill that died; None where none did.

    What was kept over an hour ago, or not on this machine, is put back with `force` alone. Raises
    ClusterError and SnapshotStoreError.
    """
    found = cluster.find(_ref(namespace))
    if found is None:
        return None
    system = SystemUnderTest(cluster=cluster, namespace=namespace, workload="", url="")
    snapshot, writes, back = _read(system, found)
    age = datetime.now(UTC) - snapshot.taken
    if age > WITHIN and not force:
        raise SnapshotStoreError(
            f"{_ref(namespace)} is what a drill that died kept {age.total_seconds() / 3600:.1f} h"
            " ago, and putting it back would undo what was changed since:"
            " gameday recover --force does it"
        )
    if not known_snapshots.is_known(_data(found)) and not force:
        names = ", ".join(f"{kind} {name}" for kind, name in dict.fromkeys(w.key for w in writes))
        raise SnapshotStoreError(
            f"{_ref(namespace)} was not written by this user on this machine: it may be anybody's."
            f" It would put these back: {names or 'none'}."
            " Look at them, then: gameday recover --force"
        )
    # First the database, as its pod has the password that it wants; then what starts new pods.
    missed = back is not None and not wait(back, _PASSWORD_WITHIN_S)
    done = snapshot.restore(Footprint(cluster=cluster, namespace=namespace, writes=writes))
    withdraw(cluster, namespace)
    if back is not None and missed and not wait(back, _PASSWORD_WITHIN_S):
        raise SnapshotStoreError(
            f"the namespace {namespace} is what it was, but its graph database does not have its"
            f" password again: {back.why}. Both passwords stand in {_ref(namespace)}"
            f" under {_PASSWORD}; gameday recover tries again"
        )
    forget(system)
    return done


def _password(system: SystemUnderTest, found: Json) -> PasswordBack | None:
    if _PASSWORD not in found["data"]:
        return None
    kept = json.loads(base64.b64decode(found["data"][_PASSWORD]))
    return PasswordBack(system, **{name: kept[name] for name in _KEPT_OF_PASSWORD})


def _read(
    system: SystemUnderTest, found: Json
) -> tuple[Snapshot, list[Write], PasswordBack | None]:
    try:
        taken = datetime.fromisoformat(found["metadata"]["annotations"][TAKEN])
        objects, writes = _objects(found), from_json(_unpacked(found, _WRITES))
        if not homes(writes) <= {system.namespace}:  # nobody else's namespace
            raise ValueError(_WRITES)  # noqa: TRY301
        snapshot = Snapshot(system=system, objects=objects, taken=taken.astimezone(UTC))
        return snapshot, writes, _password(system, found)
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error, RecursionError) as why:
        ref = _ref(system.namespace)
        raise SnapshotStoreError(
            f"{ref} is damaged, so what a drill changed cannot be put back by itself:"
            f" look at the namespace, then kubectl -n {ref.namespace} delete secret {ref.name}"
        ) from why


def _objects(found: Json) -> list[Json]:
    """What was there: something. Raises what _read expects."""
    objects: list[Json] = _unpacked(found, _KEY)
    names = [(o["kind"], o["metadata"]["name"], o["metadata"]["namespace"]) for o in objects]
    if not names or not {kind for kind, *_ in names} <= set(KEPT):
        raise ValueError(_KEY)
    if {home for *_, home in names} != {found["metadata"]["namespace"]}:  # nobody else's namespace
        raise ValueError(_KEY)
    return objects


def _packed(rows: list[Json]) -> bytes:
    return gzip.compress(json.dumps(rows).encode(), mtime=0)


def _unpacked(found: Json, key: str) -> list[Json]:
    with gzip.open(io.BytesIO(base64.b64decode(found["data"][key]))) as file:
        text = file.read(LARGEST_BYTES + 1)
    if len(text) > LARGEST_BYTES:  # read as nothing, nothing would be undone and nobody told
        raise ValueError(key)
    rows: list[Json] = json.loads(text)
    return rows


def _data(found: Json) -> bytes:
    """All that is put back, compressed. Raises KeyError, TypeError, ValueError."""
    return b"".join(base64.b64decode(found["data"][key]) for key in (_KEY, _WRITES))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _ref(namespace: str) -> Ref:
    return Ref(kind_of("Secret"), BEFORE, namespace)
