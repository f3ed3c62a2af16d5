"""The real programs that tests run against. `make setup` fetches them: none may be missing."""

import sys
from pathlib import Path

from service.cluster.packages import PROMETHEUS

KUBECTL = Path(sys.executable).with_name("kubectl")


def prometheus() -> Path:
    """The Prometheus binary. promtool stands beside it."""
    found = PROMETHEUS.find()
    assert found is not None, PROMETHEUS.hint
    return found


def promtool() -> Path:
    return prometheus().with_name("promtool")
