"""How uvicorn is set up, and how it stops."""

import asyncio
import logging
import signal
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from service.api.components import Components
from service.api.settings import Settings


def configuration(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """The settings of a pod's server, for any application (the benchmark's bare one too)."""
    options: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": None,
        "access_log": False,  # every request is counted; a line for each would cost more than it
        "timeout_keep_alive": 65,  # longer than the ingress's 60 s, so that it closes first
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }
    return uvicorn.Config(app, host=settings.host, port=settings.port, **options)


class Server(uvicorn.Server):
    """Drains before it stops: not ready at once, then serves on while the load balancer learns."""

    def __init__(self, config: uvicorn.Config, components: Components) -> None:
        super().__init__(config)
        self._components = components

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A second signal skips the draining. Not recorded for re-raising: this is a clean end."""
        if self._components.draining:
            self.should_exit = True
            return
        self._components.draining = True
        logging.getLogger("bizra").info("%s: draining", signal.Signals(sig).name)
        delay = self._components.settings.drain_seconds
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, delay, self._stop)

    def _stop(self) -> None:
        self.should_exit = True
