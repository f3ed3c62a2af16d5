"""A server with too much to do (429) is waited for as long as it asks, within the given time."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chaos.kube import Cluster, ClusterError, Patience, Ref

POD = Ref.of("Pod", "shop", "web-0")
BUDGET = {"kind": "Status", "details": {"causes": [{"reason": "DisruptionBudget"}]}}


class Busy(ThreadingHTTPServer):
    """Answers 429 as often as `refusals` says, then well."""

    refusals = 0
    after = "3"
    body = "Too many requests, please try again later."
    asked = 0


class Answer(BaseHTTPRequestHandler):
    server: Busy

    def _answer(self) -> None:
        self.server.asked += 1
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        refused = self.server.asked <= self.server.refusals
        body = self.server.body if refused else json.dumps({"items": [], "gitVersion": "v1"})
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("Retry-After", self.server.after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class Clock:
    """Time passes only where somebody waits."""

    def __init__(self) -> None:
        self.now, self.waits = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


@pytest.fixture
def server() -> Iterator[Busy]:
    with Busy(("127.0.0.1", 0), Answer) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(server: Busy, clock: Clock, tmp_path: Path) -> Cluster:
    address = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(config))
    patience = Patience(within_s=20, clock=lambda: clock.now, sleep=clock.sleep)
    return Cluster.connect(str(tmp_path / "config"), patience=patience)


REQUESTS: dict[str, Callable[[Cluster], object]] = {
    "version": lambda c: c.check(),
    "read": lambda c: c.find(POD),
    "list": lambda c: c.objects(POD.kind, "shop"),
    "create": lambda c: c.create({"kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}}),
    "make": lambda c: c.make(POD, {}),
    "delete": lambda c: c.delete(POD),
    "evict": lambda c: c.evict(POD, uid="1"),
    "log": lambda c: c.last_words(POD, "main"),
    "query": lambda c: c.get_through_service("shop", "prometheus", 9090, "/api/v1/query", {}),
    "reload": lambda c: c.post_through_service("shop", "prometheus", 9090, "/-/reload"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_waits_as_long_as_the_server_asks(
    cluster: Cluster, server: Busy, clock: Clock, name: str
) -> None:
    server.refusals = 2
    REQUESTS[name](cluster)
    assert server.asked == 3
    assert clock.waits == [3.0, 3.0]


@pytest.mark.parametrize("name", REQUESTS)
def test_it_is_given_up_where_the_wait_is_longer_than_the_time(
    cluster: Cluster, server: Busy, clock: Clock, name: str
) -> None:
    server.refusals, server.after = 99, "60"
    with pytest.raises(ClusterError) as caught:
        REQUESTS[name](cluster)
    assert (caught.value.status, server.asked, clock.waits) == (429, 1, [])


def test_a_refusal_by_a_disruption_budget_is_an_answer(
    cluster: Cluster, server: Busy, clock: Clock
) -> None:
    server.refusals, server.body = 1, json.dumps(BUDGET)
    with pytest.raises(ClusterError) as caught:
        REQUESTS["evict"](cluster)
    assert (caught.value.status, server.asked, clock.waits) == (429, 1, [])


def test_the_server_may_name_a_time_of_day(cluster: Cluster, server: Busy, clock: Clock) -> None:
    later = datetime.now(UTC) + timedelta(seconds=10)
    server.refusals, server.after = 1, format_datetime(later, usegmt=True)
    cluster.check()
    (waited,) = clock.waits
    assert 1 < waited <= 10
