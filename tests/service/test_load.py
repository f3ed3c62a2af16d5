"""The reference service's users and scenarios, by the doors that any locustfile uses."""

from pathlib import Path

import pytest

from chaos.cli.system import scenario_of
from loadtests.scenario import Scenario, names_in
from service.gameday import FOLDER
from slo.system.folder import read_system
from tests.loadtests.service import Handler, played, service

SCENARIOS = names_in(FOLDER / "scenarios")


def reference_scenario(name: str) -> Scenario:
    return scenario_of(name, read_system(FOLDER))


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_valid_and_called_like_its_file(name: str) -> None:
    assert reference_scenario(name).name == name


def test_the_three_that_the_documentation_names_are_there() -> None:
    assert {"smoke", "steady", "spike"} <= set(SCENARIOS)


def test_what_is_not_there_is_asked_for_once(tmp_path: Path) -> None:
    """A service that has forgotten everything: nobody relies on what was there before any more."""

    def answer(handler: Handler) -> None:
        handler.text('{"id": "x"}', 404 if handler.path.endswith("/related") else 200)

    chosen = reference_scenario("smoke").model_copy(update={"mix": {"attest": 1, "related": 4}})
    with service(answer) as there:
        _, samples = played(chosen, there.url, tmp_path, seconds=3)
    failed = samples.endpoint[~samples.error.are("none")]
    assert set(failed) == {"GET /attestations/{id}/related"}
    assert len(failed) <= list(samples.endpoint).count("POST /attestations")


def test_all_endpoints_are_loaded(tmp_path: Path) -> None:
    with service(lambda handler: handler.text('{"id": "x"}')) as there:
        _, samples = played(reference_scenario("smoke"), there.url, tmp_path, seconds=4)
    assert set(samples.endpoint) == {
        "POST /score",
        "POST /search",
        "POST /attestations",
        "GET /attestations/{id}/related",
        "GET /health",
    }
