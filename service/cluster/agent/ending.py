"""How containers are ended: preStop hook, SIGTERM, and SIGKILL when the grace period is over.

The grace period counts from before the hook; a hook that used it up leaves two seconds.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from service.cluster.agent.back_off import NEVER
from service.cluster.agent.container import Container
from service.cluster.agent.hooks import Hook

LEAST_S = 2.0  # the kubelet's minimumGracePeriodInSeconds


@dataclass(slots=True)
class _Ending:
    container: Container
    deadline: float
    hook: Hook | None
    asked: bool = False
    least: float = 0.0  # what it may last at least, once it was asked


class Endings:
    """Of one pod. All times are on the monotonic clock."""

    def __init__(
        self,
        hook: Callable[[Container, str], Hook | None],
        warn: Callable[[str, str, Container], None],
    ) -> None:
        self._hook, self._warn = hook, warn
        self._endings: dict[str, _Ending] = {}

    def has(self, container: Container) -> bool:
        return container.name in self._endings

    def begin(self, container: Container, grace_s: float, now: float) -> None:
        hook = self._hook(container, "preStop") if grace_s > 0 else None
        self._endings[container.name] = _Ending(container, now + grace_s, hook)
        if hook is not None:
            hook.start()
        self.advance(now)

    def advance(self, now: float, latest: float = NEVER) -> None:
        """Do what is due; nothing lasts longer than to `latest`."""
        for ending in self._endings.values():
            ending.deadline = min(ending.deadline, max(latest, ending.least))
            if not ending.asked and (ending.hook is None or self._is_over(ending, now)):
                ending.asked = True
                ending.container.signal(signal.SIGTERM)
                if ending.hook is not None:
                    ending.least = now + LEAST_S
                    ending.deadline = max(ending.deadline, ending.least)
            elif now >= ending.deadline:
                ending.container.signal(signal.SIGKILL)

    def _is_over(self, ending: _Ending, now: float) -> bool:
        """The hook, or its time."""
        hook = ending.hook
        if hook is None or hook.finished:
            if hook is not None and hook.failed:
                self._warn("FailedPreStopHook", "PreStopHook failed", ending.container)
            return True
        if now < ending.deadline:
            return False
        hook.cancel()
        return True

    def due(self) -> float:
        """When something is to be done next."""
        return min((e.deadline for e in self._endings.values()), default=NEVER)

    def forget(self, container: Container) -> None:
        """It has ended."""
        ending = self._endings.pop(container.name, None)
        if ending is not None and ending.hook is not None:
            ending.hook.cancel()

    def cancel(self) -> None:
        for ending in self._endings.values():
            if ending.hook is not None:
                ending.hook.cancel()
