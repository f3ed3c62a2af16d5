"""The switch for bad moments of the API server: it hits who it should, and can be turned off."""

import json
from collections.abc import Iterator

import pytest

from service.cluster.apiserver.hiccups import ANNOTATION
from service.cluster.kube import CONFIGMAPS, NAMESPACES, ApiError, Kube
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

TRIES = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("hiccups") / "api") as found:
        found.kube.create(NAMESPACES, {"metadata": {"name": "shaky"}})
        yield found


def shake(kube: Kube, text: str | None) -> None:
    kube.patch(NAMESPACES, "shaky", {"metadata": {"annotations": {ANNOTATION: text}}})


def answers(kube: Kube, namespace: str, *, write: bool) -> dict[int, int]:
    """How often each status; 0 is a good answer."""
    found: dict[int, int] = {}
    for number in range(TRIES):
        status = 0
        try:
            if write:
                kube.create(CONFIGMAPS, {"metadata": {"generateName": f"x{number}-"}}, namespace)
            else:
                kube.list(CONFIGMAPS, namespace)
        except ApiError as error:
            status = error.status
        found[status] = found.get(status, 0) + 1
    return found


def test_shares_of_requests_go_wrong_as_asked_and_the_switch_turns_it_off(
    server: RunningApiServer,
) -> None:
    kube = server.kube
    shake(kube, json.dumps({"409": 0.2, "429": 0.2, "500": 0.2, "seed": 1}))
    written = answers(kube, "shaky", write=True)
    assert set(written) == {0, 409, 429, 500}
    assert all(20 <= written[status] <= 60 for status in (409, 429, 500))
    assert set(answers(kube, "shaky", write=False)) == {0, 429, 500}  # a conflict takes a write
    assert set(answers(kube, "default", write=True)) == {0}
    shake(kube, "nonsense")
    assert set(answers(kube, "shaky", write=True)) == {0}
    shake(kube, None)
    assert set(answers(kube, "shaky", write=True)) == {0}
