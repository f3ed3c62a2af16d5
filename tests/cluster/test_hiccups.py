"""The switch for bad moments of the API server: it hits who it should, and can be turned off."""

from collections.abc import Iterator

import pytest

from service.cluster import addons
from service.cluster.apply import apply
from service.cluster.kube import CONFIGMAPS, NAMESPACES, ApiError, Json, Kube, Resource
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

TRIES = 200
HICCUPS = Resource("gameday.dev/v1", "hiccups", "Hiccup")
LATER = "2100-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("hiccups") / "api") as found:
        apply(found.kube, addons.definitions())
        found.kube.create(NAMESPACES, {"metadata": {"name": "shaky"}})
        yield found


def shake(kube: Kube, spec: Json) -> None:
    body = {"metadata": {"name": "shaking"}, "spec": spec}
    kube.create(HICCUPS, body, "shaky")


def calm(kube: Kube) -> None:
    kube.delete(HICCUPS, "shaking", "shaky")


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
    shake(kube, {"rates": {"409": 0.2, "429": 0.2, "500": 0.2}, "until": LATER, "seed": 1})
    written = answers(kube, "shaky", write=True)
    assert set(written) == {0, 409, 429, 500}
    assert all(20 <= written[status] <= 60 for status in (409, 429, 500))
    assert set(answers(kube, "shaky", write=False)) == {0, 429, 500}  # a conflict takes a write
    assert set(answers(kube, "default", write=True)) == {0}
    calm(kube)
    assert set(answers(kube, "shaky", write=True)) == {0}


@pytest.mark.parametrize(
    "spec",
    [
        {"rates": {"500": 0.5}, "until": "2026-01-02T03:04:05Z"},  # over
        {"rates": {"500": 0.5}, "until": "whenever"},
        {"rates": {"500": 0.5}},
        {"rates": {"500": "often"}, "until": LATER},
        {"rates": 0.5, "until": LATER},
    ],
)
def test_what_is_over_or_cannot_be_read_means_no_hiccups(
    server: RunningApiServer, spec: Json
) -> None:
    shake(server.kube, spec)
    try:
        assert set(answers(server.kube, "shaky", write=True)) == {0}
    finally:
        calm(server.kube)
