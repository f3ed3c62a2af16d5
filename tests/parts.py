"""The real programs that tests run against. `make setup` fetches them: none may be missing."""

import sys
from pathlib import Path

from service.cluster.prometheus_binary import INSTALL_HINT, find_prometheus

KUBECTL = Path(sys.executable).with_name("kubectl")


def prometheus() -> Path:
    """The Prometheus binary. promtool stands beside it."""
    found = find_prometheus()
    assert found is not None, INSTALL_HINT
    return found


def promtool() -> Path:
    return prometheus().with_name("promtool")
