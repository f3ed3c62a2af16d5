"""postStart and preStop: what a container wants done when it starts, and before it is ended."""

import threading
from collections.abc import Callable

from service.cluster.agent.actions import ActionError, Command, Enter, Json, http_get


class Hook(threading.Thread):
    """One run of a handler, in a thread of its own; `over` is called from it at the end.

    Source: kubernetes.io, "Container Lifecycle Hooks".
    """

    def __init__(
        self, handler: Json, container: Json, pod_ip: str, enter: Enter, over: Callable[[], None]
    ) -> None:
        super().__init__(name=f"hook-{container['name']}", daemon=True)
        self._handler, self._container, self._ip = handler, container, pod_ip
        self._enter, self._over = enter, over
        self._command = Command()
        self._cancelled = threading.Event()
        self.failed = False
        self.finished = False

    def run(self) -> None:
        try:
            self._do()
        except (ActionError, OSError):
            self.failed = True
        self.finished = True
        self._over()

    def _do(self) -> None:
        """Raises ActionError."""
        if "exec" in self._handler:
            argv = self._enter(self._handler["exec"]["command"])
            code, output = self._command.run(argv, None)
            if code != 0:
                raise ActionError(f"exit code {code}: {output}")
        elif "httpGet" in self._handler:  # whatever the status: the kubelet does not look at it
            http_get(self._handler["httpGet"], self._container, self._ip, None)
        elif "sleep" in self._handler:
            self._cancelled.wait(self._handler["sleep"]["seconds"])
        else:
            raise ActionError("no handler that this node knows")

    def cancel(self) -> None:
        """Its time is up."""
        self._cancelled.set()
        self._command.kill()
