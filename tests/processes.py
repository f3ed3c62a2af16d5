"""Processes of an embedded cluster's containers, as this machine sees them."""

import signal
from typing import Any

from chaos.faults.signals import send


def kill_container(status: dict[str, Any]) -> None:
    """SIGKILL from outside to all processes of a container, by its ContainerStatus."""
    assert send([status["containerID"].partition("://")[2]], signal.SIGKILL)
