"""The service over real HTTP while its parts die, freeze and come back."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import GraphServer, Part, Service, wait_until

TEXT = "It's the orchard's harvest, measured by the council \\ in March."
# README: 2 * CACHE_TIMEOUT + GRAPH_TIMEOUT = 2.5 s here, with room for a busy machine. A client
# that waited for a frozen graph would give up after 30 s.
BOUND_SECONDS = 15.0

Start = Callable[..., Service]

pytestmark = pytest.mark.slow


def attest(service: Service, content: str = TEXT) -> httpx.Response:
    return httpx.post(f"{service.url}/attestations", json={"content": content}, timeout=30)


def related(service: Service, attestation_id: str) -> httpx.Response:
    return httpx.get(f"{service.url}/attestations/{attestation_id}/related", timeout=30)


def assert_score_and_search_go_on(service: Service) -> None:
    for path, body in (("/score", {"content": TEXT}), ("/search", {"text": "harvest"})):
        assert httpx.post(f"{service.url}{path}", json=body).status_code == 200


def test_attestations_are_stored_once_related_by_terms_and_cached(
    start_service: Start, graph: GraphServer, cache: Part
) -> None:
    service = start_service(graph=graph, cache=cache)
    assert service.health()["status"] == "ok"
    first = attest(service)
    assert first.status_code == 201
    again = attest(service)
    assert again.status_code == 200
    assert again.json() == first.json() | {"created": False}
    other = attest(service, "The council measured the orchard.").json()
    attest(service, "Kinship protects memory.")

    one = first.json()["id"]
    answer = related(service, one)
    assert answer.headers["X-Cache"] == "miss"
    assert [(item["id"], item["shared"]) for item in answer.json()["related"]] == [(other["id"], 3)]
    second = related(service, one)
    assert second.headers["X-Cache"] == "hit"
    assert second.json() == answer.json()
    assert related(service, "0" * 32).status_code == 404

    metric = "bizra_active_attestations_total 3.0"
    wait_until(lambda: metric in httpx.get(f"{service.url}/metrics").text)


def test_a_dead_graph_degrades_and_its_return_heals(
    start_service: Start, graph: GraphServer, cache: Part
) -> None:
    service = start_service(graph=graph, cache=cache)
    one = attest(service).json()["id"]
    assert related(service, one).status_code == 200
    graph.kill()
    service.wait_for("degraded")
    health = httpx.get(f"{service.url}/health")
    assert health.status_code == 200
    assert health.json()["components"] == {"index": "up", "graph": "down", "cache": "up"}
    assert httpx.get(f"{service.url}/ready").status_code == 200
    assert_score_and_search_go_on(service)
    refused = attest(service)
    assert refused.status_code == 503
    assert "graph" in refused.json()["detail"]
    assert related(service, one).headers["X-Cache"] == "hit"  # what is cached is still told
    graph.start()
    service.wait_for("ok")
    assert attest(service, "Back again.").status_code == 201


def test_a_frozen_graph_holds_no_request_longer_than_the_bound(
    start_service: Start, graph: GraphServer, cache: Part
) -> None:
    service = start_service(graph=graph, cache=cache)
    attest(service)
    graph.send(signal.SIGSTOP)
    seconds, statuses = [], []

    def call(number: int) -> None:
        started = time.monotonic()
        statuses.append(attest(service, f"frozen {number}").status_code)
        seconds.append(time.monotonic() - started)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [503] * 24
    assert max(seconds) < BOUND_SECONDS
    service.wait_for("degraded")
    assert_score_and_search_go_on(service)
    graph.send(signal.SIGCONT)
    service.wait_for("ok")
    assert attest(service, "thawed").status_code == 201


def test_a_frozen_and_then_dead_cache_costs_time_but_no_answer(
    start_service: Start, graph: GraphServer, cache: Part
) -> None:
    service = start_service(graph=graph, cache=cache)
    one = attest(service).json()["id"]
    cache.send(signal.SIGSTOP)
    started = time.monotonic()
    assert related(service, one).status_code == 200
    assert time.monotonic() - started < BOUND_SECONDS
    service.wait_for("degraded")
    cache.kill()
    assert related(service, one).headers["X-Cache"] == "miss"
    assert attest(service, "Without a cache.").status_code == 201
    assert_score_and_search_go_on(service)
    cache.start()
    service.wait_for("ok")
    related(service, one)
    assert related(service, one).headers["X-Cache"] == "hit"


def test_the_service_starts_degraded_when_nothing_else_is_there(start_service: Start) -> None:
    service = start_service()
    assert service.health()["status"] == "degraded"
    assert_score_and_search_go_on(service)
    assert attest(service).status_code == 503


def test_a_wrong_password_is_a_graph_that_is_away(start_service: Start, graph: GraphServer) -> None:
    service = start_service(graph=graph, NEO4J_PASSWORD="wrong")
    assert service.health()["reasons"]["graph"] == "Unauthorized"  # type: ignore[index]  # parsed JSON
    assert attest(service).status_code == 503


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_pod_without_a_good_index_refuses_to_start_in_one_line(
    damage: str, environment: dict[str, str], index_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "main.index"
    if damage == "cut short":
        path.write_bytes(index_path.read_bytes()[:-1000])
    result = subprocess.run(
        [sys.executable, "-m", "service.api"],
        env=os.environ | environment | {"FAISS_INDEX_PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(path) in result.stderr


def test_a_bad_setting_is_named_with_exit_code_2(environment: dict[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "service.api"],
        env=os.environ | environment | {"GRAPH_TIMEOUT": "soon"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("bizra-api: GRAPH_TIMEOUT='soon'")
    assert len(result.stderr.splitlines()) == 1


def test_sigterm_drains_then_ends_cleanly(start_service: Start) -> None:
    service = start_service(DRAIN_SECONDS="1")
    service.send(signal.SIGTERM)
    wait_until(lambda: httpx.get(f"{service.url}/ready").status_code == 503)
    assert_score_and_search_go_on(service)  # not ready, yet still serving
    assert service.process is not None
    assert service.process.wait(15) == 0


def test_a_body_over_the_limit_is_refused_over_a_real_connection(start_service: Start) -> None:
    service = start_service(MAX_BODY_BYTES="100000")
    with httpx.Client(base_url=service.url) as client:
        chunks = (b"a" * 10_000 for _ in range(100))
        assert client.post("/score", json={"content": "a" * 5_000_000}).status_code == 413
        assert client.post("/score", content=chunks).status_code == 413
        assert client.post("/score", json={"content": TEXT}).status_code == 200


def test_a_taken_port_is_an_error(start_service: Start, environment: dict[str, str]) -> None:
    start_service()
    result = subprocess.run(
        [sys.executable, "-m", "service.api"],
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 3
    assert len(result.stderr.splitlines()) == 1
