"""Where nobody answers, the run ends before it begins, with what to do about it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from chaos.cli.reachable import require_reachable, unreachable
from chaos.cli.user_errors import exit_code_of
from chaos.plan.model import Plan
from chaos.run.loads import Loaded
from loadtests.reach import UnreachableError
from loadtests.scenario import Scenario
from slo.exit_codes import ExitCode

USERS = Scenario.model_validate(
    {
        "name": "smoke",
        "requests": [{"path": "/"}],
        "stages": [{"rate": 1}],
        "request_timeout": "1s",
        "max_in_flight": 1,
    }
)


def plan(target: dict[str, Any], beside: list[dict[str, Any]] | None = None) -> Plan:
    experiment = {
        "name": "e",
        "title": "t",
        "baseline": "1s",
        "duration": "1s",
        "recovery": "1s",
        "fault": {"kind": "pod-kill", "select": {"labels": {"app": "web"}, "count": 1}},
    }
    return Plan.model_validate(
        {
            "name": "p",
            "target": {"namespace": "shop", "workload": "web", **target},
            "load": {"scenario": "smoke", "beside": beside or []},
            "experiments": [experiment],
        }
    )


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL whose port is taken, and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def somebody() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def loaded(url: str, name: str = "") -> Loaded:
    return Loaded(name, USERS, url, 0.05)


def test_the_address_of_a_service_is_told_with_the_ways_to_reach_it(nobody: str) -> None:
    with pytest.raises(UnreachableError) as error:
        require_reachable(plan({"service": "web"}), [loaded(nobody)])
    said = str(error.value)
    assert said.startswith(f"the load would go nowhere: {nobody} cannot be reached: Connection")
    for way in ("gameday run --in-cluster", "'url' of target", "port-forward"):
        assert way in said
    assert exit_code_of(error.value) is ExitCode.INCONCLUSIVE


def test_who_gave_the_address_is_told_that_nobody_is_there(nobody: str) -> None:
    (said,) = unreachable(plan({"url": nobody}), [loaded(nobody)])
    assert said == f"the load would go nowhere: {nobody} cannot be reached: Connection refused"


def test_each_service_under_load_is_asked(nobody: str, somebody: str) -> None:
    beside = [{"name": "search", "scenario": "smoke", "service": "search"}]
    given = plan({"service": "web"}, beside)
    (said,) = unreachable(given, [loaded(somebody), loaded(nobody, "search")])
    assert "'url' of search (load.beside)" in said
    require_reachable(given, [loaded(somebody), loaded(somebody, "search")])
