"""Everything that a running service holds, and its way from starting to stopped."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from service.api.cache import CACHE_ERRORS, Cache
from service.api.dependency import Dependency, State
from service.api.embedding import Vector
from service.api.graph import Graph
from service.api.graph_errors import GraphAwayError
from service.api.index import Neighbour, VectorIndex
from service.api.metrics import Metrics
from service.api.settings import Settings


class Components:
    """Index, graph, cache, metrics and the state that /health and /ready tell.

    `started` becomes true when each dependency was tried once, whatever came of it; `draining`
    when the process was asked to stop.
    """

    def __init__(self, settings: Settings, index: VectorIndex) -> None:
        self.settings = settings
        self.index = index
        self.metrics = Metrics()
        self.metrics.index_size.set(index.size)
        self.started = False
        self.draining = False
        self.graph = Graph(
            settings.neo4j_uri,
            user=settings.neo4j_user,
            password=settings.neo4j_password,
            database=settings.neo4j_database,
            timeout_s=settings.graph_timeout,
            retry_s=settings.graph_retry,
            pool=settings.graph_pool_size,
        )
        self.cache = Cache(
            settings.redis_url,
            ttl_s=settings.cache_ttl,
            timeout_s=settings.cache_timeout,
            pool=settings.cache_pool_size,
        )
        changed = self.metrics.dependency_changed
        self.graph_state = Dependency(
            "graph",
            timeout_s=settings.graph_timeout,
            errors=(GraphAwayError,),
            on_change=changed,
            reason_of=str,
        )
        self.cache_state = Dependency(
            "cache", timeout_s=settings.cache_timeout, errors=CACHE_ERRORS, on_change=changed
        )
        self.executor = ThreadPoolExecutor(settings.search_threads, thread_name_prefix="search")

    @property
    def ready(self) -> bool:
        return self.started and not self.draining

    def health(self) -> tuple[str, dict[str, str], dict[str, str]]:
        """Status, state and reason of each component; from memory, so it answers at once."""
        states = {
            "index": State.UP,
            "graph": self.graph_state.state,
            "cache": self.cache_state.state,
        }
        reasons = {
            d.name: d.reason for d in (self.graph_state, self.cache_state) if d.state is State.DOWN
        }
        if not self.started:
            status = "starting"
        else:
            status = "ok" if all(s is State.UP for s in states.values()) else "degraded"
        return status, {name: str(state) for name, state in states.items()}, reasons

    async def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """One search in a worker thread (FAISS lets go of the interpreter lock).

        Raises TimeoutError after `search_timeout`.
        """
        async with asyncio.timeout(self.settings.search_timeout):
            return await asyncio.get_running_loop().run_in_executor(
                self.executor, self._timed_search, vector, k
            )

    def _timed_search(self, vector: Vector, k: int) -> list[Neighbour]:
        started = time.perf_counter()
        found = self.index.search(vector, k)
        self.metrics.query_duration.observe(time.perf_counter() - started)
        return found

    async def _ping_graph(self) -> None:
        self.metrics.attestations.set(await self.graph.count())

    async def _watch(self) -> None:
        """Try both once, say that the start is over, then poll."""
        pings = ((self.graph_state, self._ping_graph), (self.cache_state, self.cache.ping))
        await asyncio.gather(*(dependency.check(ping) for dependency, ping in pings))
        self.started = True
        await asyncio.sleep(self.settings.poll_interval)
        interval = self.settings.poll_interval
        await asyncio.gather(*(d.poll(ping, interval_s=interval) for d, ping in pings))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the dependencies for as long as the body runs, then let go of everything."""
        watch = asyncio.create_task(self._watch(), name="watch dependencies")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            with contextlib.suppress(TimeoutError, GraphAwayError, *CACHE_ERRORS):
                async with asyncio.timeout(self.settings.graph_timeout):
                    await self.cache.close()
                    await self.graph.close()
            self.executor.shutdown(wait=False, cancel_futures=True)
