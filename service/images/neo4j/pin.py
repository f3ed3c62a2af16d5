"""`python -m service.images.neo4j.pin NAME COORDINATE...`: pin the files of a version.

Resolves the Maven coordinates with all that they need at run time, and writes pinned/NAME.txt: a
line for each file with its coordinate and its SHA-256. The three lists were made with:

    pin server-5 org.neo4j.app:neo4j-server:5.26.30 org.neo4j:neo4j:5.26.30
    pin server-2026 org.neo4j.app:neo4j-server:2026.09.0 org.neo4j:neo4j:2026.09.0
    pin shell org.neo4j:cypher-shell:5.26.30

cypher-shell stands apart because it is not published for every version of the server. It speaks
Bolt, so one version of it works with all of them.
"""

import sys
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext


def main(name: str, *coordinates: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        builder = EnvironmentBuilder(context=MavenContext(timeout=60), cache_dir=Path(folder))
        lock = builder.from_endpoint("+".join(coordinates)).lockfile
    if lock is None:
        sys.exit(f"jgo resolved {coordinates} without a lock file")
    lines = sorted(
        f"{':'.join(filter(None, (d.groupId, d.artifactId, d.version, d.classifier)))} {d.sha256}"
        for d in lock.dependencies
    )
    target = Path(__file__).parent / "pinned" / f"{name}.txt"
    target.write_text("\n".join([f"# {' '.join(coordinates)}", *lines]) + "\n")
    print(f"{target.name}: {len(lines)} files")


if __name__ == "__main__":
    main(*sys.argv[1:])
