"""What a namespace was before a drill, kept in the namespace itself until it is so again.

A Secret, because the objects of a namespace have secrets in them: so that `gameday recover` needs
nothing but the cluster, as for every fault. One at a time; the Lease sees to that.
"""

import base64
import gzip
import json

from chaos.cluster import Cluster, Json, Ref, kind_of
from chaos.procedures.access import withdraw
from chaos.procedures.world import BEFORE, Snapshot, World

_KEY = "objects.json.gz"


def keep(snapshot: Snapshot) -> None:
    """Before anything is changed. Raises ClusterError."""
    world = snapshot.world
    ref = _ref(world.namespace)
    data = gzip.compress(json.dumps(snapshot.objects).encode(), mtime=0)
    manifest: Json = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "type": "Opaque",
        "data": {_KEY: base64.b64encode(data).decode()},
    }
    world.cluster.make(ref, manifest)


def forget(world: World) -> None:
    """Everything is what it was."""
    world.cluster.delete(_ref(world.namespace))


def is_left(cluster: Cluster, namespace: str) -> bool:
    """Did a drill die here? Raises ClusterError."""
    return cluster.find(_ref(namespace)) is not None


def put_back(cluster: Cluster, namespace: str) -> list[str] | None:
    """Make it what it was before a drill that died; None where none did. Raises ClusterError."""
    found = cluster.find(_ref(namespace))
    if found is None:
        return None
    objects = json.loads(gzip.decompress(base64.b64decode(found["data"][_KEY])))
    world = World(cluster=cluster, namespace=namespace, workload="", url="")
    done = Snapshot(world=world, objects=objects).restore()
    withdraw(cluster, namespace)
    forget(world)
    return done


def _ref(namespace: str) -> Ref:
    return Ref(kind_of("Secret"), BEFORE, namespace)
