"""`python -m service.images.neo4j --data DIR [COMMAND...]`: the image's entry point.

Writes neo4j.conf from the environment, sets the first password on an empty volume, and becomes the
server. Another COMMAND than `neo4j`, such as neo4j-admin, is run in the server's place.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from service.images.neo4j import configuration, distribution
from service.images.neo4j.configuration import ConfigurationError
from service.images.process import die_with_parent

MOUNTED = Path("/conf/neo4j.conf")
SERVER = "neo4j"


class StartError(Exception):
    """The server cannot be started; the message is what its log says last."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m service.images.neo4j", description=__doc__)
    parser.add_argument("--host", default=os.environ.get("POD_IP", "127.0.0.1"))
    parser.add_argument("--data", type=Path, default=Path("/data"))
    parser.add_argument("--series", choices=distribution.SERIES, default="5")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        command, environment = prepare(
            options.command or [SERVER], options.series, host=options.host, data=options.data
        )
    except (StartError, ConfigurationError, OSError) as error:
        sys.exit(str(error))
    os.execvpe(command[0], command, environment)  # noqa: S606  (no shell wanted)


def prepare(
    command: list[str], series: str, *, host: str, data: Path
) -> tuple[list[str], dict[str, str]]:
    """What to become, and its environment. Raises StartError, ConfigurationError, OSError."""
    neo4j = distribution.find(series)
    if neo4j is None:
        raise StartError("Neo4j is not on this machine: run `gameday doctor --fix`")
    scratch = Path(os.environ.get("TMPDIR", "/var/lib"))
    home = Path(os.environ.get("NEO4J_HOME") or scratch / "neo4j")
    path = f"{neo4j.programs}:{os.environ.get('PATH', '')}"
    environment = {**os.environ, "NEO4J_HOME": str(home), "PATH": path}
    chosen = configuration.with_files(environment)
    written = MOUNTED.read_text() if MOUNTED.is_file() else ""
    settings = configuration.settings(chosen, address=host, data=data, written=written)
    (home / "conf").mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (home / "conf/neo4j.conf").write_text(text)
    if command[0] != SERVER:
        return command, environment
    if password := configuration.initial_password(chosen):
        _set_password(data, [str(neo4j.programs / "neo4j-admin")], password, environment)
    environment["NEO4J_JVM"] = " ".join(configuration.jvm_options(settings))
    return [*command, "--console-mode"], environment


def _set_password(
    data: Path, admin: list[str], password: list[str], environment: dict[str, str]
) -> None:
    """On an empty volume alone: users that exist keep their passwords."""
    if (data / "databases/system").exists():
        return
    (data / "dbms").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*admin, "dbms", "set-initial-password", *password],
        env=environment,
        check=False,
        preexec_fn=die_with_parent,
    )
    if done.returncode:
        raise StartError("neo4j-admin did not take the password of NEO4J_AUTH")


if __name__ == "__main__":
    die_with_parent()
    main()
