"""The cache: JSON values in Redis. A cache that is away is a miss, never an error."""

from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.api.dependency import Dependency, DependencyError

CACHE_ERRORS = (RedisError, OSError)


class Cache:
    """Keys and JSON texts with one time to live (`ttl_s`, seconds)."""

    def __init__(self, url: str, *, ttl_s: int, timeout_s: float, pool: int) -> None:
        connections = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=pool,
            timeout=timeout_s,  # for a free connection
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),  # a second try costs more than the miss
        )
        self._redis: Any = redis.Redis(connection_pool=connections)
        self._ttl_s = ttl_s

    async def ping(self) -> None:
        await self._redis.ping()

    async def get(self, dependency: Dependency, key: str) -> bytes | None:
        """The stored text; None when there is none or the cache is away."""
        try:
            async with dependency.call():
                value: bytes | None = await self._redis.get(key)
                return value
        except DependencyError:
            return None

    async def put(self, dependency: Dependency, key: str, value: bytes) -> None:
        """Store a text; without effect when the cache is away."""
        try:
            async with dependency.call():
                await self._redis.set(key, value, ex=self._ttl_s)
        except DependencyError:
            return

    async def close(self) -> None:
        await self._redis.aclose(close_connection_pool=True)
