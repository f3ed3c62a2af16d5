"""Attaching to the process of a running container: its output from now on, and its input.

The output is read from the container's log, which for containers with stdin or a terminal has
every byte at once; so it can be attached to from several places, and nothing is lost to the log.
"""

import asyncio
import contextlib
import os
from pathlib import Path

from starlette.websockets import WebSocket, WebSocketDisconnect

from service.cluster import channels
from service.cluster.agent import logs
from service.cluster.agent.container import Container

POLL_S = 0.02


async def attach(websocket: WebSocket, container: Container, *, stdin: bool) -> None:
    """Over an accepted WebSocket, until the container or the client ends."""
    process = container.process
    path = container.log_file()
    offset = path.stat().st_size if path.exists() else 0
    path.touch()

    def running() -> bool:
        return process is not None and process.poll() is None

    async def show() -> None:
        async for entries in logs.coming(path, offset, running, POLL_S):
            for entry in entries:
                channel = channels.STDERR if entry.stream == b"stderr" else channels.STDOUT
                await websocket.send_bytes(bytes([channel]) + entry.text)

    showing = asyncio.create_task(show())
    listening = asyncio.create_task(_listen(websocket, container, stdin=stdin))
    await asyncio.wait({showing, listening}, return_when=asyncio.FIRST_COMPLETED)
    client_left = listening.done()
    for task in (showing, listening):
        task.cancel()
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await asyncio.gather(showing, listening, return_exceptions=True)
    if stdin and client_left and container.spec.get("stdinOnce"):
        container.close_stdin()
    if not client_left:
        await channels.end_with(websocket, channels.exit_status(0))


async def _listen(websocket: WebSocket, container: Container, *, stdin: bool) -> None:
    """Hand on the client's input; returns when the client goes away."""
    async for message in channels.messages(websocket):
        channel, data = message[0], message[1:]
        if channel == channels.RESIZE and container.spec.get("tty"):
            _resize(container, data)
        elif not stdin:
            continue
        elif channel == channels.STDIN and container.stdin is not None:
            with contextlib.suppress(OSError):  # it closed its input
                await asyncio.to_thread(_write, container.stdin, data)
        elif channel == channels.CLOSE and container.spec.get("stdinOnce"):
            container.close_stdin()


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _resize(container: Container, message: bytes) -> None:
    pid = container.init_pid
    if pid is None:
        return
    with contextlib.suppress(OSError):
        terminal = os.open(Path(f"/proc/{pid}/fd/0"), os.O_RDWR | os.O_NOCTTY)
        try:
            channels.resize(terminal, message)
        finally:
            os.close(terminal)
