"""Bad input gets a 4xx that names the field; each request is counted under its route."""

import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from service.api.app import create_app
from service.api.components import Components
from service.api.index import load
from service.api.settings import Settings, SettingsError

ID = "0" * 32


@pytest.fixture
def components(index_path: Path, environment: dict[str, str]) -> Iterator[Components]:
    settings = Settings.from_environment(environment | {"MAX_BODY_BYTES": "20000"})
    components = Components(settings, load(index_path))
    yield components
    components.executor.shutdown()


class Client:
    """Calls the application in this process; its lifespan is not started."""

    def __init__(self, components: Components) -> None:
        self._app = create_app(components)

    def __call__(self, method: str, path: str, **options: object) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                return await client.request(method, path, **options)  # type: ignore[arg-type]  # passed through

        return anyio.run(call)


@pytest.fixture
def client(components: Components) -> Client:
    return Client(components)


def fields(response: httpx.Response) -> list[str]:
    return [".".join(str(part) for part in e["loc"]) for e in response.json()["detail"]]


VECTOR = [0.1] * 768


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/score", {}, "body.content"),
        ("/score", {"content": ""}, "body.content"),
        ("/score", {"content": 7}, "body.content"),
        ("/score", {"content": "a", "weight": 1}, "body.weight"),
        ("/search", {"text": "a", "k": 0}, "body.k"),
        ("/search", {"text": "a", "k": 101}, "body.k"),
        ("/search", {"text": "a", "k": "many"}, "body.k"),
        ("/search", {"vector": VECTOR[:-1]}, "body.vector"),
        ("/search", {"vector": [*VECTOR[:-1], "x"]}, "body.vector.767"),
        ("/search", {"vector": [*VECTOR[:-1], 1e30]}, "body.vector.767"),
        ("/search", {}, "body"),
        ("/search", {"text": "a", "vector": VECTOR}, "body"),
        ("/attestations", {"text": "a"}, "body.content"),
    ],
)
def test_a_bad_body_is_answered_with_the_field(
    client: Client, path: str, body: object, field: str
) -> None:
    response = client("POST", path, json=body)
    assert response.status_code == 422
    assert field in fields(response)


@pytest.mark.parametrize("text", ['{"content": "', "[]", '{"content": "\\ud800"}', "null", ""])
def test_a_body_that_is_no_such_json_is_a_422(client: Client, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert client("POST", "/score", content=text, headers=headers).status_code == 422


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_json_does_not_have_are_a_422(client: Client, number: float) -> None:
    text = f'{{"vector": [{", ".join(["0"] * 767)}, {number}]}}'.replace("inf", "Infinity")
    text = text.replace("nan", "NaN")
    response = client("POST", "/search", content=text, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert fields(response) == ["body.vector.767"]


@pytest.mark.parametrize(
    "path", ["/attestations/xyz/related", f"/attestations/{ID}/related?limit=0"]
)
def test_a_bad_path_or_query_is_a_422(client: Client, path: str) -> None:
    assert client("GET", path).status_code == 422


def test_a_body_over_the_limit_is_a_413_by_its_length_or_in_chunks(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"content": "'
        for _ in range(30):
            yield b"a" * 1000

    json = {"Content-Type": "application/json"}
    assert client("POST", "/score", json={"content": "a" * 20_001}).status_code == 413
    assert client("POST", "/score", content=chunks(), headers=json).status_code == 413
    assert client("POST", "/score", json={"content": "a" * 10_000}).status_code == 200
    text = client("GET", "/metrics").text
    assert 'bizra_requests_total{endpoint="/score",method="POST",status="413"} 2.0' in text


def test_requests_are_counted_by_route_and_never_by_raw_path(client: Client) -> None:
    client("GET", "/no/such/path")
    client("DELETE", "/score")
    client("BREW", "/coffee")
    client("GET", f"/attestations/{ID}/related")
    text = client("GET", "/metrics").text
    for labels in (
        'endpoint="unmatched",method="GET",status="404"',
        'endpoint="/score",method="DELETE",status="405"',
        'endpoint="unmatched",method="OTHER",status="404"',
        'endpoint="/attestations/{attestation_id}/related",method="GET",status="503"',
    ):
        assert f"bizra_requests_total{{{labels}}} 1.0" in text, text
    assert "such" not in text
    assert ID not in text


def test_a_crash_is_answered_and_counted_as_500(
    client: Client, components: Components, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(components.index, "search", crash)
    assert client("POST", "/search", json={"text": "a"}).status_code == 500
    text = client("GET", "/metrics").text
    assert 'bizra_requests_total{endpoint="/search",method="POST",status="500"} 1.0' in text


def test_metrics_have_the_runbooks_names_and_thresholds_as_buckets(client: Client) -> None:
    client("POST", "/search", json={"text": "seed"})
    text = client("GET", "/metrics").text
    assert "bizra_faiss_index_size 600.0" in text
    assert "bizra_active_attestations_total NaN" in text  # the graph was never reached
    for bound in ("0.1", "0.5"):
        assert f'bizra_request_duration_seconds_bucket{{endpoint="/search",le="{bound}"' in text
    for bound in ("0.05", "0.2"):
        assert f'bizra_faiss_query_duration_seconds_bucket{{le="{bound}"}} 1.0' in text
    assert "bizra_dependency_up" in text


def test_before_the_start_has_finished_health_and_ready_say_503(client: Client) -> None:
    health = client("GET", "/health")
    assert (health.status_code, health.json()["status"]) == (503, "starting")
    assert client("GET", "/ready").status_code == 503


def test_text_and_vector_queries_agree(client: Client) -> None:
    from service.api.embedding import embed

    by_text = client("POST", "/search", json={"text": "grain", "k": 100}).json()
    by_vector = client("POST", "/search", json={"vector": embed("grain").tolist(), "k": 100}).json()
    assert len(by_text["results"]) == 100
    assert by_text == by_vector


def test_settings_fall_back_to_the_pods_address_and_name_a_bad_variable() -> None:
    assert Settings.from_environment({}).host == "127.0.0.1"
    assert Settings.from_environment({"POD_IP": "127.1.2.3"}).host == "127.1.2.3"
    assert Settings.from_environment({"POD_IP": "127.1.2.3", "HOST": "::1"}).host == "::1"
    with pytest.raises(SettingsError, match="PORT='http'"):
        Settings.from_environment({"PORT": "http"})
