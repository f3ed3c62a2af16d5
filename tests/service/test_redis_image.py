"""The image redis: a real server with the limits of the manifests, that leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from service.cluster.images import Images
from service.images.process import free_port
from service.images.redis import command
from tests.service.conftest import Part, listens, wait_until


def test_an_image_dies_with_its_parent() -> None:
    port = free_port()
    arguments = ["--host", "127.0.0.1", "--port", str(port)]
    start = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-m', 'service.images.redis', *{arguments!r}])\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", start], env=os.environ)
    try:
        wait_until(lambda: listens(port))
        family = psutil.Process(parent.pid).children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert gone
    assert not alive


def test_redis_has_the_limits_of_the_manifests(cache: Part) -> None:
    client = redis.Redis(port=cache.port)
    assert client.config_get("maxmemory")["maxmemory"] == str(512 * 1024 * 1024)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"
    assert client.config_get("bind")["bind"] == "127.0.0.1"
    client.close()


def test_redis_is_a_real_one(cache: Part) -> None:
    assert cache.process is not None
    assert psutil.Process(cache.process.pid).name() == "redis-server"
    with redis.Redis(port=cache.port) as client:
        assert int(client.info("server")["redis_version"].split(".")[0]) >= 6
        assert client.module_list() == []


def test_what_is_asked_of_redis_wins_over_the_limits_and_over_keeping_nothing(
    tmp_path: Path,
) -> None:
    port = free_port()
    asked = {"maxmemory": str(64 << 20), "save": "60 1", "appendonly": "yes", "dir": str(tmp_path)}
    words = ["redis-server", "--port", str(port)]
    words += [word for name, value in asked.items() for word in (f"--{name}", value)]
    part = Part(["service.images.redis", "--host", "127.0.0.1", *words], port)
    part.start()
    try:
        with redis.Redis(port=port) as client:
            assert {n: client.config_get(n)[n] for n in asked} == asked
            client.set("kept", "yes")
        part.kill()
        part.start()
        with redis.Redis(port=port) as client:
            assert client.get("kept") == b"yes"
    finally:
        part.end()


def test_a_container_of_redis_has_its_programs_which_know_its_address(cache: Part) -> None:
    found = Images().programs("redis:7")
    assert found is not None
    tools = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{found}:{tools}:{os.environ['PATH']}"}

    def run(*words: str, address: str) -> str:
        done = subprocess.run(
            words,
            env=environment | {"POD_IP": address},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    ping = ["redis-cli", "-p", str(cache.port), "ping"]
    assert run(*ping, address="127.0.0.1") == "PONG\n"
    assert "Connection refused" in run(*ping, address="127.0.0.99")
    assert run("redis-server", "--version", address="127.0.0.1").startswith("Redis server v=")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["/r/redis-server", "--bind"]),
        (["redis-server"], ["/r/redis-server", "--bind"]),
        (["--port", "7000"], ["/r/redis-server", "--bind"]),
        (["/etc/redis.conf"], ["/r/redis-server", "/etc/redis.conf", "--bind"]),
        (["redis-server", "redis.cnf"], ["/r/redis-server", "redis.cnf", "--bind"]),
        (["redis-cli", "-p", "7000"], ["/r/redis-cli", "-h", "127.0.0.9", "-p", "7000"]),
        (["sh", "-c", "redis-cli ping"], ["sh", "-c", "redis-cli ping"]),
    ],
)
def test_redis_takes_words_as_the_official_image_does(
    words: list[str], expected: list[str]
) -> None:
    found = command(words, Path("/r"), "127.0.0.9", Path("/data"))
    assert found[: len(expected)] == expected
    if "--port" in words:
        assert found[-2:] == words
