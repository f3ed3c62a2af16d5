"""The image redis: a real server with the limits of the manifests, that leaves nothing behind."""

import os
import subprocess
import sys

import psutil
import redis

from service.images.process import free_port
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
