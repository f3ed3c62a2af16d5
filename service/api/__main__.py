"""`python -m service.api`: serve until SIGTERM or SIGINT.

Exit codes: 0 stopped as asked, 1 the index cannot be served or the port is taken, 2 a bad setting.
"""

import asyncio
import logging
import os
import signal
import sys
from types import FrameType

import uvicorn

from service.api.app import create_app
from service.api.components import Components
from service.api.index import IndexFileError, load
from service.api.settings import Settings, SettingsError


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


def main() -> int:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(f"bizra-api: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)  # the circuit says it, once
    try:
        index = load(settings.faiss_index_path, nprobe=settings.faiss_nprobe)
    except IndexFileError as error:
        print(f"bizra-api: {error}", file=sys.stderr)
        return 1
    components = Components(settings, index)
    config = uvicorn.Config(
        create_app(components),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # every request is counted; a line for each costs a fifth of the rate
        timeout_keep_alive=65,  # longer than the ingress's 60 s, so that it closes first
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(config, components)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
