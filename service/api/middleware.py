"""ASGI middleware: every request is counted and timed."""

import functools
import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.metrics import Metrics

UNMATCHED = "unmatched"  # one label for all paths without a route: raw paths are unbounded

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observe:
    """Counts and times requests by route template; an exception that escapes counts as 500."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        # Looking a child up takes longer than counting; there are few of them.
        self._counter = functools.cache(functools.partial(_child, metrics.requests))
        self._timer = functools.cache(functools.partial(_child, metrics.duration))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except BaseException:
            status = 500  # also when it broke off in the middle of an answer
            raise
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            endpoint = getattr(scope.get("route"), "path", UNMATCHED)
            self._counter(method, endpoint, str(status)).inc()
            self._timer(method, endpoint).observe(time.perf_counter() - started)


def _child(metric: Counter | Histogram, *labels: str) -> Any:
    return metric.labels(*labels)
