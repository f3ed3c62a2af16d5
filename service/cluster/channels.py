"""Streams of a command over one WebSocket: Kubernetes' remote command protocol, v4 and v5.

Every binary message is one byte for the channel, then data: 0 stdin, 1 stdout, 2 stderr, 3 a
Status object when the command ends, 4 a terminal size. In v5, 255 followed by a channel's number
closes that channel. Source: k8s.io/apimachinery remotecommand constants, KEP-4006.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CHUNK = 32 * 1024


def choose_protocol(offered: Sequence[str]) -> str | None:
    """The newest subprotocol that both sides speak."""
    return next((p for p in PROTOCOLS if p in offered), None)


def exit_status(code: int) -> dict[str, Any]:
    """The Status object for a command's exit code, as the kubelet sends it."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> dict[str, Any]:
    """The Status object when the command could not be started."""
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": message,
        "code": 500,
    }


async def messages(websocket: WebSocket) -> AsyncIterator[bytes]:
    """What the client sends, without empty messages, until it goes away."""
    while True:
        try:
            message = await websocket.receive()
        except RuntimeError:  # it has gone already
            return
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes") or (message.get("text") or "").encode()
        if data:
            yield data


async def serve_command(
    websocket: WebSocket, argv: Sequence[str], *, stdin: bool, tty: bool
) -> None:
    """Run `argv` and carry its streams over an accepted WebSocket, until it ends.

    The command is killed when the client goes away.
    """
    primary = replica = None
    try:
        if tty:
            primary, replica = pty.openpty()
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=replica,
                stdout=replica,
                stderr=replica,
                start_new_session=True,
            )
            os.close(replica)
            replica = None
        else:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
    except OSError as error:
        await end_with(websocket, failure_status(f"cannot start the command: {error}"))
        for descriptor in (primary, replica):
            if descriptor is not None:
                os.close(descriptor)
        return
    await _carry(websocket, process, primary)


async def _carry(
    websocket: WebSocket, process: asyncio.subprocess.Process, terminal: int | None
) -> None:
    sending = asyncio.Lock()
    if terminal is None:
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            asyncio.create_task(_pump(websocket, sending, STDOUT, process.stdout)),
            asyncio.create_task(_pump(websocket, sending, STDERR, process.stderr)),
        ]
    else:
        readers = [asyncio.create_task(_pump_terminal(websocket, sending, terminal))]
    listening = asyncio.create_task(_listen(websocket, process, terminal))
    try:
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({ended, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():  # the client went away
            _kill(process)
        code = await ended
        await asyncio.wait(readers, timeout=5)
        await end_with(websocket, exit_status(code if code >= 0 else 128 - code))
    finally:
        for task in (*readers, listening):
            task.cancel()
        if terminal is not None:
            os.close(terminal)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _pump(
    websocket: WebSocket, sending: asyncio.Lock, channel: int, source: asyncio.StreamReader
) -> None:
    while data := await source.read(CHUNK):
        async with sending:
            await websocket.send_bytes(bytes([channel]) + data)


async def _pump_terminal(websocket: WebSocket, sending: asyncio.Lock, terminal: int) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            data = await loop.run_in_executor(None, os.read, terminal, CHUNK)
        except OSError:  # EIO: the last process on the terminal is gone
            return
        if not data:
            return
        async with sending:
            await websocket.send_bytes(bytes([STDOUT]) + data)


async def _listen(
    websocket: WebSocket, process: asyncio.subprocess.Process, terminal: int | None
) -> None:
    """Hand the client's input to the command; returns when the client goes away."""
    async for message in messages(websocket):
        channel, data = message[0], message[1:]
        if channel == RESIZE and terminal is not None:
            resize(terminal, data)
        elif channel == STDIN and terminal is not None:
            os.write(terminal, data)
        elif channel == STDIN and process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                process.stdin.write(data)
                await process.stdin.drain()
        elif channel == CLOSE and data[:1] == bytes([STDIN]) and process.stdin is not None:
            process.stdin.close()


def resize(terminal: int, message: bytes) -> None:
    """`message` is JSON: {"Width", "Height"}, in characters."""
    with contextlib.suppress(ValueError, OSError):
        size = json.loads(message)
        packed = struct.pack("HHHH", size.get("Height", 0), size.get("Width", 0), 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, packed)


async def end_with(websocket: WebSocket, status: dict[str, Any]) -> None:
    """Send the command's Status, the last message, and close."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await websocket.send_bytes(bytes([STATUS]) + json.dumps(status).encode())
        await websocket.close()
