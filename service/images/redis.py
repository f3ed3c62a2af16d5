"""Stands in for the image redis: runs the Redis of this machine (service.cluster.packages).

    python -m service.images.redis [--host HOST] [--data FOLDER] [redis-server] [OPTION ...]
    python -m service.images.redis PROGRAM [ARGUMENT ...]

As the official image does, it takes what begins with "-" or ends in ".conf" for redis-server, and
anything else for a command. The server listens on HOST alone, has 512 MB and allkeys-lru
(SYSTEM.md, "Dependencies") and keeps nothing on disk; an OPTION that says otherwise wins.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from service.cluster.packages import REDIS
from service.images.process import die_with_parent

PROGRAMS = Path(__file__).parent / "programs/redis"  # what a container has on its PATH
_ABOUT_ITSELF = {"-v", "--version", "-h", "--help", "--test-memory", "--check-system"}


def command(words: list[str], folder: Path, host: str, data: Path) -> list[str]:
    """What to run for these words, with the real programs in `folder`."""
    program, *rest = words or ["redis-server"]
    if program.startswith("-") or program.endswith(".conf"):
        program, rest = "redis-server", words
    if program == "redis-cli":
        return [str(folder / program), "-h", host, *rest]
    if program != "redis-server":
        return [program, *rest]
    server = str(folder / program)
    if rest and rest[0] in _ABOUT_ITSELF:
        return [server, *rest]
    file, options = (rest[:1], rest[1:]) if rest and rest[0][0:1] != "-" else ([], rest)
    return [
        *(server, *file, "--bind", host),
        *("--protected-mode", "no"),  # bound to one loopback address already
        *("--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru"),
        *("--save", "", "--appendonly", "no"),
        *("--dir", str(data) if data.is_dir() else tempfile.gettempdir()),
        *options,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default=os.environ.get("POD_IP", "127.0.0.1"))
    parser.add_argument("--data", type=Path, default=Path("/data"))
    options, words = parser.parse_known_args()
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = REDIS.find(os.pathsep.join(p for p in path if p != str(PROGRAMS)))
    if found is None:
        sys.exit(f"redis: {REDIS.hint}")
    argv = command(words, found.parent, options.host, options.data)
    die_with_parent()
    try:
        os.execvp(argv[0], argv)  # noqa: S606  (no shell wanted)
    except OSError as error:
        sys.exit(f"redis: {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
