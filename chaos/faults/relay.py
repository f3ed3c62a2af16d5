"""A bad network path: a TCP relay that delays, loses, throttles or resets what it hands on.

Runs in a pod of its own by any Python, as `python3 -c "$(cat relay.py)" '{"to": "host", ...}'`, so
it uses the standard library alone and imports nothing of ours. Latency is added in each direction
to each piece of data and to the opening. A lost segment is one that arrives after the time in
which TCP sends it again (RFC 6298: one second at first, here as Linux does, at least 200 ms).
"""

import asyncio
import contextlib
import functools
import json
import random
import signal
import socket
import sys
from typing import Any

PIECE = 16 * 1024
RESEND_S = 0.2
ANSWER_S = 2.0


class Relay:
    """`setting`: to, ports {listen: target}, host, latency_s, jitter_s, loss, reset, rate, seed.

    `loss` and `reset` are ratios, of pieces of data and of connections; `rate` is bytes a second
    each way, 0 for no limit.
    """

    def __init__(self, setting: dict[str, Any]) -> None:
        self.set = setting
        self.random = random.Random(setting["seed"])  # noqa: S311 - repeatable on purpose

    def delay(self) -> float:
        """Seconds that one piece takes longer than it should."""
        late = self.set["latency_s"] + self.random.uniform(-1, 1) * self.set["jitter_s"]
        while self.random.random() < self.set["loss"]:
            late += RESEND_S
        return float(max(0.0, late))

    async def reach(self, ended: asyncio.Event) -> None:
        """Wait until one of the ports behind takes connections, or until `ended`."""
        while not ended.is_set():
            for target in self.set["ports"].values():
                with contextlib.suppress(OSError, TimeoutError):
                    opening = asyncio.open_connection(self.set["to"], target)
                    _, out = await asyncio.wait_for(opening, ANSWER_S)
                    out.close()
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), RESEND_S)

    async def serve(self, target: int, near: Any, out: Any) -> None:
        """One connection, to the same port of those behind."""
        if self.random.random() < self.set["reset"]:
            _reset(out)
            return
        await asyncio.sleep(self.delay())
        try:
            far, back = await asyncio.open_connection(self.set["to"], target)
        except OSError:
            _reset(out)
            return
        ways = [self.carry(near, back), self.carry(far, out)]
        with contextlib.suppress(OSError):
            await asyncio.gather(*ways)
        for end in (out, back):
            end.close()

    async def carry(self, source: Any, sink: Any) -> None:
        """One direction. Pieces keep their order, and those on their way do not hold up others."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def read() -> None:
            due = 0.0
            while True:
                try:
                    data = await source.read(PIECE)
                except OSError:
                    data = b""
                due = max(due, loop.time() + self.delay())
                await pieces.put((due, data))
                if not data:
                    return

        reading = loop.create_task(read())
        try:
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    if sink.can_write_eof():
                        sink.write_eof()
                    return
                sink.write(data)
                await sink.drain()
                if self.set["rate"]:
                    await asyncio.sleep(len(data) / self.set["rate"])
        finally:
            reading.cancel()


def _reset(end: Any) -> None:
    """So that the other side sees a reset, not an end."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    end.transport.abort()


async def _main(setting: dict[str, Any]) -> None:
    relay = Relay(setting)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await relay.reach(ended)
    for listen, target in setting["ports"].items():
        serve = functools.partial(relay.serve, target)
        await asyncio.start_server(serve, setting["host"], int(listen))
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
