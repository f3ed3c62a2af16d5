"""Where an embedded cluster lives: its directory and its loopback addresses.

Each cluster has one octet B: pods are at 127.B.0.0/17, services at 127.B.128.0/18, nodes at
127.B.192.x, the API server at 127.B.255.1. Several clusters can so run side by side.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from service.images.neo4j.distribution import DEFAULT_SERIES

OCTETS = range(64, 127)
API_PORT = 6443
FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class Layout:
    directory: Path
    octet: int
    node_count: int
    isolation: str = ""  # a mode of agent.isolation; "": the strongest that works
    neo4j: str = DEFAULT_SERIES  # the series that an image neo4j:* runs

    @property
    def api_host(self) -> str:
        return f"127.{self.octet}.255.1"

    @property
    def api_port(self) -> int:
        return API_PORT

    @property
    def service_cidr(self) -> str:
        return f"127.{self.octet}.128.0/18"

    @property
    def cgroup(self) -> str:
        """How its nodes' groups' names begin: groups may outlive the cluster that crashed."""
        place = hashlib.blake2s(str(self.directory).encode(), digest_size=4).hexdigest()
        return f"gameday-{place}"

    def cgroup_of(self, node: str) -> str:
        return f"{self.cgroup}-{node}"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def nodes(self) -> list[tuple[str, str, str]]:
        """(name, address, network of its pods)."""
        return [
            (f"node-{n + 1}", f"127.{self.octet}.192.{n + 1}", f"127.{self.octet}.{16 * n}.0/20")
            for n in range(self.node_count)
        ]


def default_directory() -> Path:
    """$GAMEDAY_CLUSTER_DIR, else in the user's state directory (XDG base directories)."""
    if chosen := os.environ.get("GAMEDAY_CLUSTER_DIR"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(base) / "gameday" / "cluster"


def write_layout(layout: Layout) -> None:
    fields = {
        "octet": layout.octet,
        "nodes": layout.node_count,
        "isolation": layout.isolation,
        "neo4j": layout.neo4j,
    }
    (layout.directory / FILE).write_text(json.dumps(fields))


def read_layout(directory: Path) -> Layout:
    """Raises OSError or ValueError when there is no cluster."""
    fields = json.loads((directory / FILE).read_text())
    return Layout(directory, fields["octet"], fields["nodes"], fields["isolation"], fields["neo4j"])
