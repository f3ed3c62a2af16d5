"""The service proxy over real sockets: who gets a connection, and how connections end."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from service.cluster.proxy import Listener, Proxy, Sources
from service.cluster.routes import Address, routes

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Json = dict[str, Any]


def run(test: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await test

    uvloop.run(limited())


def address_of(server: asyncio.Server) -> Address:
    host, port = server.sockets[0].getsockname()[:2]
    return host, port


@asynccontextmanager
async def backend(handler: Handler) -> AsyncIterator[Address]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield address_of(server)
    finally:
        server.close()


def saying(word: bytes) -> Handler:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(word)
        writer.close()

    return handler


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def fronting(*backends: Address) -> AsyncIterator[tuple[Listener, Address]]:
    listener = Listener()
    listener.set_backends(backends)
    await listener.open(("127.0.0.1", 0))
    assert listener.server is not None
    try:
        yield listener, address_of(listener.server)
    finally:
        listener.close()


async def ask(front: Address) -> bytes:
    reader, writer = await asyncio.open_connection(*front)
    try:
        return await reader.read()
    finally:
        writer.close()


def test_ready_backends_take_turns() -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            addresses = [
                await stack.enter_async_context(backend(saying(word))) for word in (b"a", b"b")
            ]
            _, front = await stack.enter_async_context(fronting(*addresses))
            said = [await ask(front) for _ in range(6)]
            assert sorted(said) == [b"a"] * 3 + [b"b"] * 3
            assert said[0] != said[1]

    run(scene())


def test_without_a_ready_backend_a_connection_is_reset_at_once() -> None:
    async def scene() -> None:
        async with fronting() as (_, front):
            with pytest.raises(ConnectionResetError):
                await ask(front)

    run(scene())


def test_a_backend_that_nobody_listens_at_resets_the_connection() -> None:
    async def scene() -> None:
        async with backend(echo) as gone:
            pass
        async with fronting(gone) as (_, front):
            with pytest.raises(ConnectionResetError):
                await ask(front)

    run(scene())


def test_a_removed_backend_gets_nothing_new_and_keeps_what_it_has() -> None:
    async def scene() -> None:
        async with (
            backend(echo) as old,
            backend(saying(b"new")) as new,
            fronting(old) as (listener, front),
        ):
            reader, writer = await asyncio.open_connection(*front)
            writer.write(b"one")
            assert await reader.readexactly(3) == b"one"
            listener.set_backends((new,))
            assert [await ask(front) for _ in range(3)] == [b"new"] * 3
            writer.write(b"two")
            assert await reader.readexactly(3) == b"two"
            writer.close()

    run(scene())


def test_a_backend_that_resets_resets_the_client() -> None:
    async def abort(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()  # unread data is left: the kernel sends a reset

    async def scene() -> None:
        async with backend(abort) as address, fronting(address) as (_, front):
            reader, writer = await asyncio.open_connection(*front)
            writer.write(b"x" * 300_000)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(scene())


def test_a_half_closed_connection_still_gets_its_answer() -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read())).encode())
        writer.close()

    async def scene() -> None:
        async with backend(count) as address, fronting(address) as (_, front):
            reader, writer = await asyncio.open_connection(*front)
            writer.write(b"x" * 1_000_000)
            writer.write_eof()
            assert await reader.read() == b"1000000"
            writer.close()

    run(scene())


def test_much_data_arrives_whole_though_the_reader_is_slow() -> None:
    sent = os.urandom(1 << 20) * 8

    async def scene() -> None:
        async with backend(echo) as address, fronting(address) as (_, front):
            reader, writer = await asyncio.open_connection(*front, limit=4096)

            async def send() -> None:
                writer.write(sent)
                await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            got = bytearray()
            while data := await reader.read(4096):
                got += data
            await sending
            assert bytes(got) == sent
            writer.close()

    run(scene())


@pytest.mark.parametrize("first", ["client", "backend"])
def test_connections_that_ended_leave_no_descriptors(first: str) -> None:
    async def scene() -> None:
        handler = echo if first == "client" else saying(b"bye")
        async with backend(handler) as address, fronting(address) as (_, front):
            before = open_descriptors()
            for _ in range(30):
                reader, writer = await asyncio.open_connection(*front)
                if first == "client":
                    writer.write_eof()
                await reader.read()
                writer.close()
                await writer.wait_closed()
            while open_descriptors() > before:  # noqa: ASYNC110 - limited by run()
                await asyncio.sleep(0.01)

    run(scene())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def service(**spec: Any) -> Json:
    return {"metadata": {"name": "web", "namespace": "ns"}, "spec": spec}


def endpoints(*conditions: Json, port: int = 8000, of: str = "web", namespace: str = "ns") -> Json:
    return {
        "metadata": {
            "name": f"{of}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": of},
        },
        "ports": [{"name": "http", "port": port}],
        "endpoints": [
            {"addresses": [f"127.64.0.{n}"], "conditions": c} for n, c in enumerate(conditions, 1)
        ],
    }


PORTS = [{"name": "http", "port": 80, "targetPort": 8000}]


def test_only_ready_endpoints_of_the_service_are_routed_to() -> None:
    slices = [
        endpoints({"ready": True}, {"ready": False}, {}),
        endpoints({"ready": True}, of="other", port=9),
        endpoints({"ready": True}, namespace="elsewhere", port=9),
    ]
    found = routes([service(clusterIP="127.64.128.1", ports=PORTS)], slices, None)
    assert found[("127.64.128.1", 80)].backends == (("127.64.0.1", 8000), ("127.64.0.3", 8000))
    assert len(found) == 1


@pytest.mark.parametrize("address", ["None", "", None])
def test_a_service_without_an_address_has_no_route(address: str | None) -> None:
    assert routes([service(clusterIP=address, ports=PORTS)], [], "127.64.192.1") == {}


def test_node_ports_are_served_at_the_node() -> None:
    ports = [{**PORTS[0], "nodePort": 30080}]
    made = service(clusterIP="127.64.128.1", ports=ports)
    assert routes([made], [], None).keys() == {("127.64.128.1", 80)}
    assert ("127.64.192.1", 30080) in routes([made], [], "127.64.192.1")


def test_listeners_come_and_go_with_their_services() -> None:
    async def scene() -> None:
        proxy = Proxy(None)
        async with backend(saying(b"here")) as (host, port):
            front = ("127.0.0.1", free_port())
            made = service(clusterIP=front[0], ports=[{"name": "http", "port": front[1]}])
            piece = endpoints({}, port=port)
            piece["endpoints"][0]["addresses"] = [host]
            await proxy.apply([made], [piece])
            assert await ask(front) == b"here"
            await proxy.apply([made], [])
            with pytest.raises(ConnectionResetError):
                await ask(front)
            await proxy.apply([], [])
            with pytest.raises(ConnectionRefusedError):
                await ask(front)

    run(scene())


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_client_stays_with_its_endpoint_for_as_long_as_the_service_says() -> None:
    now = 0.0
    listener = Listener(lambda: now)
    listener.set_backends((("127.0.0.2", 1), ("127.0.0.3", 1)))
    listener.affinity_s = 10
    first = listener.choose("127.0.0.9")
    assert {listener.choose("127.0.0.9") for _ in range(4)} == {first}
    assert listener.choose("127.0.0.8") != first
    now = 9.0
    assert listener.choose("127.0.0.9") == first
    now = 18.0  # less than ten seconds after the last connection
    assert listener.choose("127.0.0.9") == first
    listener.set_backends(tuple(b for b in listener.backends if b != first))
    assert listener.choose("127.0.0.9") not in (first, None)


def test_only_permitted_endpoints_are_chosen() -> None:
    listener = Listener()
    backends = (("127.0.0.2", 1), ("127.0.0.3", 1))
    listener.set_backends(backends)
    listener.sources = Sources(permits=lambda source, to: source == "a" or to == backends[1])
    assert {listener.choose("a") for _ in range(4)} == set(backends)
    assert {listener.choose("b") for _ in range(4)} == {backends[1]}


def test_who_may_not_connect_is_left_without_an_answer() -> None:
    async def scene() -> None:
        async with backend(saying(b"a")) as address, fronting(address) as (listener, front):
            assert await ask(front) == b"a"
            listener.sources = Sources(permits=lambda *_: False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(front), 0.3)

    run(scene())


def test_a_pods_connection_keeps_its_address() -> None:
    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    async def scene() -> None:
        async with backend(tell) as address, fronting(address) as (listener, front):
            assert await ask(front) == b"127.0.0.1"
            listener.sources = Sources(pods=frozenset({"127.0.0.77"}))
            reader, writer = await asyncio.open_connection(*front, local_addr=("127.0.0.77", 0))
            assert await reader.read() == b"127.0.0.77"
            writer.close()

    run(scene())
