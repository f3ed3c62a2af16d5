"""Any locustfile, unmodified, against a real server: what it sends, and under which names.

Each test writes the locustfile that a team might have.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from tests.loadtests.service import Handler, Service, close, drip, run, service


def users_of(there: Service) -> dict[str, list[str]]:
    """What each user has sent, by the header that it sends along."""
    sent: dict[str, list[str]] = {}
    for seen in there.seen:
        sent.setdefault(seen.headers["user"], []).append(seen.path)
    return sent


WHO = """
    from itertools import count
    from locust import *
    numbers = count()
    class Someone(HttpUser):
        abstract = True
        wait_time = constant(3600)
        def __init__(self, environment):
            super().__init__(environment)
            self.client.headers["User"] = str(next(numbers))
"""


def test_each_arrival_is_one_task_and_on_start_comes_first(tmp_path: Path) -> None:
    """`wait_time` (an hour) is not waited, and a user logs in once, and out at the end."""
    text = (
        WHO
        + """
    class Shopper(Someone):
        def on_start(self):
            self.client.post("/login")
        @task
        def browse(self):
            self.client.get("/browse")
        def on_stop(self):
            self.client.post("/logout")
    """
    )
    with service() as there:
        summary, found, _ = run(tmp_path, text, there)
        sent = users_of(there)
    assert found == {("GET /browse", "none"): 50}
    assert summary.scheduled == summary.sent == 50
    assert summary.outside == len(sent)  # logins, of users that had no iteration as well
    for paths in sent.values():
        assert paths == ["/login", *["/browse"] * (len(paths) - 2), "/logout"]


def test_a_sequence_is_kept_one_task_an_arrival(tmp_path: Path) -> None:
    text = (
        WHO
        + """
    class Shopper(Someone):
        @task
        class Buying(SequentialTaskSet):
            @task
            def search(self):
                self.client.get("/search")
            @task
            def basket(self):
                self.client.post("/basket")
            @task
            def pay(self):
                self.client.post("/pay")
    """
    )
    with service() as there:
        _, found, _ = run(tmp_path, text, there)
        sent = users_of(there)
    assert found.total() == 50
    for paths in sent.values():
        cycle = ["/search", "/basket", "/pay"] * len(paths)
        assert paths == cycle[: len(paths)]


def test_a_nested_task_set_is_left_by_interrupt_within_the_same_arrival(tmp_path: Path) -> None:
    """Locust runs the next task at once after `interrupt()`, so the arrival makes its request."""
    text = (
        WHO
        + """
    class Shopper(Someone):
        @task
        class Forum(SequentialTaskSet):
            def on_start(self):
                self.client.get("/enter")
            @task
            def read(self):
                self.client.get("/read")
            @task
            def leave(self):
                self.interrupt()
    """
    )
    with service() as there:
        _, found, _ = run(tmp_path, text, there)
    assert set(found) == {("GET /enter", "none"), ("GET /read", "none")}
    assert found["GET /read", "none"] == 50


def test_only_the_first_request_of_an_iteration_waits_with_it(tmp_path: Path) -> None:
    """One user, 200 ms an iteration, 10 arrivals a second: the queue is in the first request."""

    def slow(handler: Handler) -> None:
        time.sleep(0.1)
        handler.text()

    text = """
    class Shopper(HttpUser):
        @task
        def both(self):
            with self.client.get("/outer", catch_response=True):
                self.client.get("/inner")
    """
    with service(slow) as there:
        _, _, samples = run(
            tmp_path, text, there, stages=[{"rate": 10, "duration": "2s"}], max_in_flight=1
        )
    late = samples.start - samples.intended_start
    outer, inner = samples.endpoint.are("GET /outer"), samples.endpoint.are("GET /inner")
    assert outer.sum() == inner.sum() == 20
    assert late[outer].max() > 1
    assert np.allclose(late[inner], 0)


def test_user_classes_have_their_weights_and_tags_choose_tasks(tmp_path: Path) -> None:
    text = """
    class Often(FastHttpUser):
        weight = 9
        @task
        @tag("read")
        def get(self):
            self.client.get("/often/1", name="/often/[id]")
        @task(100)
        def write(self):
            self.client.post("/often")
    class Seldom(FastHttpUser):
        @task
        @tag("read")
        def get(self):
            self.client.get("/seldom")
    """
    with service() as there:
        _, found, _ = run(tmp_path, text, there, tags=["read"])
    assert set(found) == {("GET /often/[id]", "none"), ("GET /seldom", "none")}
    assert found["GET /often/[id]", "none"] > 3 * found["GET /seldom", "none"]


def test_a_fixed_count_is_so_many_users_and_their_share(tmp_path: Path) -> None:
    """One of ten users, so a tenth of the arrivals, and never another one at the same time."""
    text = (
        WHO
        + """
    class Admin(Someone):
        fixed_count = 1
        @task
        def audit(self):
            self.client.get("/audit")
    class Shopper(Someone):
        weight = 7
        @task
        def browse(self):
            self.client.get("/browse")
    """
    )
    with service() as there:
        _, found, _ = run(tmp_path, text, there, max_in_flight=10)
        sent = users_of(there)
    assert sum("/audit" in paths for paths in sent.values()) == 1
    assert 0 < found["GET /audit", "none"] < 15
    assert found.total() == 50


@pytest.mark.parametrize(
    ("mix", "endpoints"),
    [
        ({"A": 1, "B": 1}, {"GET /a", "GET /a2", "GET /b"}),
        ({"B": 3}, {"GET /b"}),
        ({"only_a": 1, "B.both": 1.5}, {"GET /a2", "GET /b"}),
    ],
)
def test_a_mix_is_by_user_class_or_by_task(
    tmp_path: Path, mix: dict[str, float], endpoints: set[str]
) -> None:
    text = """
    class A(FastHttpUser):
        weight = 1000
        @task
        def both(self):
            self.client.get("/a")
        @task
        def only_a(self):
            self.client.get("/a2")
    class B(FastHttpUser):
        @task
        def both(self):
            self.client.get("/b")
    """
    with service() as there:
        _, found, _ = run(tmp_path, text, there, mix=mix)
    assert {endpoint for endpoint, _ in found} == endpoints


def test_custom_clients_and_their_greenlets_are_recorded(tmp_path: Path) -> None:
    """A client of its own that fires Locust's event, from a greenlet that the task spawns."""
    text = """
    import gevent
    from locust import *
    class Socket(User):
        @task
        def echo(self):
            gevent.spawn(self.fire, None).join()
            with self.environment.events.request.measure("WS", "close"):
                raise ConnectionResetError
        def fire(self, exception):
            self.environment.events.request.fire(request_type="WS", name="echo",
                response_time=20, response_length=0, exception=exception, context={})
    """
    with service() as there:
        _, found, samples = run(tmp_path, text, there)
    assert found == {("WS echo", "none"): 50, ("WS close", "reset"): 50}
    assert there.seen == []
    assert np.allclose(samples.latency[samples.endpoint.are("WS echo")], 0.02)


def test_an_exception_in_a_task_is_a_failure_by_its_name(tmp_path: Path) -> None:
    """Once: where a request of the iteration has failed, the exception is the same harm."""

    def answer(handler: Handler) -> None:
        handler.text("not JSON", 500 if "bad" in handler.path else 200)

    text = """
    class Shopper(FastHttpUser):
        @task
        def after_a_failure(self):
            self.client.get("/bad").json()
        @task
        def by_itself(self):
            self.client.get("/good").json()
        @task
        def leaves(self):
            raise StopUser
    """
    with service(answer) as there:
        summary, found, _ = run(tmp_path, text, there)
    log = (tmp_path / "run" / "load.log").read_text()
    assert "JSONDecodeError" in log
    assert set(found) == {
        ("GET /bad", "5xx"),
        ("GET /good", "none"),
        ("Shopper.by_itself", "other"),
    }
    assert found["Shopper.by_itself", "other"] == found["GET /good", "none"] > 0
    assert summary.reason == ""


def test_what_the_file_calls_a_success_or_a_failure_is_one(tmp_path: Path) -> None:
    text = """
    class Shopper(HttpUser):
        @task
        def gone(self):
            with self.client.get("/gone", catch_response=True) as answer:
                answer.success()
        @task
        def odd(self):
            with self.client.get("/odd", catch_response=True) as answer:
                answer.failure("odd")
    """

    def answer(handler: Handler) -> None:
        handler.text(status=404 if "gone" in handler.path else 200)

    with service(answer) as there:
        _, found, _ = run(tmp_path, text, there)
    assert set(found) == {("GET /gone", "none"), ("GET /odd", "other")}


def test_the_url_takes_the_place_of_host_and_events_fire(tmp_path: Path) -> None:
    text = """
    from locust import *
    @events.init_command_line_parser.add_listener
    def _(parser):
        parser.add_argument("--shop", default="corner")
    @events.init.add_listener
    def _(environment, runner, **_):
        print("init", environment.host, environment.parsed_options.shop, runner is not None)
    @events.test_start.add_listener
    def _(**_):
        print("test_start")
    @events.test_stop.add_listener
    def _(environment, **_):
        print("test_stop", environment.stats.total.num_requests)
    class Shopper(HttpUser):
        host = "http://127.0.0.1:1"
        @task
        def get(self):
            self.client.get("/")
    """
    with service() as there:
        _, found, _ = run(tmp_path, text, there)
        url = there.url
    assert found == {("GET /", "none"): 50}
    lines = (tmp_path / "run" / "load.log").read_text().splitlines()
    assert lines == [f"init {url} corner True", "test_start", "test_stop 50"]


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_the_time_limit_is_a_total(tmp_path: Path, base: str) -> None:
    """An answer that drips is never late by the limits of single reads."""
    text = f"""
    class Shopper({base}):
        @task
        def get(self):
            self.client.get("/")
    """
    with service(drip) as there:
        summary, found, samples = run(
            tmp_path, text, there, stages=[{"rate": 10, "duration": "1s"}], request_timeout="500ms"
        )
    assert found == {("GET /", "timeout"): 10}
    assert summary.scheduled == summary.sent == 10
    assert samples.latency.min() >= 0.45


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_an_answer_that_breaks_off_is_no_success_whatever_the_file_says(
    tmp_path: Path, base: str
) -> None:
    """Its status was 200, which is all that many files look at."""

    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.close_connection = True

    text = f"""
    class Shopper({base}):
        @task
        def dripping(self):
            self.ask("/drip")
        @task
        def cut_short(self):
            self.ask("/cut")
        def ask(self, path):
            with self.client.get(path, catch_response=True) as answer:
                answer.success()
    """
    with service(lambda h: drip(h) if h.path == "/drip" else cut(h)) as there:
        _, found, _ = run(
            tmp_path, text, there, stages=[{"rate": 20, "duration": "1s"}], request_timeout="500ms"
        )
    assert {endpoint for endpoint, _ in found} == {"GET /drip", "GET /cut"}
    assert {error for _, error in found} <= {"timeout", "reset", "other"}
    assert ("GET /drip", "timeout") in found


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_limit_of_the_files_own_is_a_total_as_well(tmp_path: Path, base: str) -> None:
    own = "timeout=0.3" if base == "HttpUser" else ""
    text = f"""
    class Shopper({base}):
        network_timeout = connection_timeout = 0.15
        @task
        def get(self):
            self.client.get("/", {own})
    """
    with service(drip) as there:
        _, found, samples = run(
            tmp_path, text, there, stages=[{"rate": 10, "duration": "1s"}], request_timeout="20s"
        )
    assert found == {("GET /", "timeout"): 10}
    assert samples.latency.min() >= 0.25


def test_a_client_without_a_time_limit_gets_one_and_pauses_do_not_count(tmp_path: Path) -> None:
    """A socket that waits for ever is a time-out of its task; a pause of the file's is none."""

    def never(handler: Handler) -> None:
        time.sleep(3)
        handler.text()

    text = """
    import socket, time
    from locust import *
    class Raw(User):
        @task
        def ask(self):
            host, port = self.host.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as there:
                there.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
                there.recv(1)
    class Slow(User):
        @task
        def think(self):
            time.sleep(1)  # longer than a request may take, and over before the load gives up
            self.environment.events.request.fire(request_type="X", name="thought",
                response_time=1, response_length=0, exception=None, context={})
    """
    with service(never) as there:
        summary, found, _ = run(
            tmp_path, text, there, stages=[{"rate": 20, "duration": "1s"}], request_timeout="500ms"
        )
    assert set(found) <= {("Raw.ask", "timeout"), ("X thought", "none"), ("(not sent)", "not sent")}
    assert found["Raw.ask", "timeout"] > 0
    assert found["X thought", "none"] > 0
    assert found.total() == summary.scheduled == 20


def test_a_file_that_sets_its_own_time_limit_keeps_it(tmp_path: Path) -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.6)
        handler.text()

    text = """
    class Patient(FastHttpUser):
        network_timeout = 30
        @task
        def get(self):
            self.client.get("/patient")
    class Each(HttpUser):
        @task
        def get(self):
            self.client.get("/each", timeout=30)
    class Usual(FastHttpUser):
        @task
        def get(self):
            self.client.get("/usual")
    """
    with service(slow) as there:
        _, found, _ = run(
            tmp_path, text, there, stages=[{"rate": 20, "duration": "1s"}], request_timeout="300ms"
        )
    assert set(found) == {
        ("GET /patient", "none"),
        ("GET /each", "none"),
        ("GET /usual", "timeout"),
    }


def test_no_answer_on_a_new_connection_is_a_failure(tmp_path: Path) -> None:
    """geventhttpclient would send each GET a dozen times."""
    with service(close) as there:
        _, found, _ = run(tmp_path, SHOPPER.format(base="FastHttpUser"), there)
        assert len(there.seen) == 50
    assert found == {("GET /", "reset"): 50}


SHOPPER = """
class Shopper({base}):
    @task
    def get(self):
        self.client.get("/")
"""


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_kept_connection_that_closes_under_a_request_is_one_failure(
    tmp_path: Path, base: str
) -> None:
    """Every second request of a connection gets no answer: each is sent once, and half fail."""

    def every_second(handler: Handler) -> None:
        handler.turns += 1
        if handler.turns % 2:
            handler.text()
        else:
            close(handler)

    with service(every_second) as there:
        _, found, _ = run(
            tmp_path,
            SHOPPER.format(base=base),
            there,
            stages=[{"rate": 20, "duration": "2s"}],
            max_in_flight=1,
        )
        assert len(there.seen) == 40
    assert found == {("GET /", "none"): 20, ("GET /", "reset"): 20}


@pytest.mark.parametrize("base", ["HttpUser", "FastHttpUser"])
def test_a_connection_that_was_closed_before_the_request_is_opened_anew(
    tmp_path: Path, base: str
) -> None:
    """The service keeps no connection, and does not say so."""

    def once(handler: Handler) -> None:
        handler.text()
        handler.close_connection = True

    with service(once) as there:
        _, found, _ = run(tmp_path, SHOPPER.format(base=base), there)
        assert len(there.seen) == 50
    assert found == {("GET /", "none"): 50}


def test_a_login_that_fails_later_is_a_failure_of_the_arrival(tmp_path: Path) -> None:
    """The first users are in; from then on nobody can log in, and each user leaves after a task."""
    open_until = 10

    def answer(handler: Handler) -> None:
        logins = sum(s.path == "/login" for s in handler.server.seen)
        handler.text(status=503 if handler.path == "/login" and logins > open_until else 200)

    text = """
    class Shopper(HttpUser):
        def on_start(self):
            self.client.post("/login").raise_for_status()
        @task
        def once(self):
            self.client.get("/once")
            raise StopUser
    """
    with service(answer) as there:
        summary, found, _ = run(tmp_path, text, there)
    assert found["GET /once", "none"] == open_until
    assert found["Shopper.on_start", "other"] + found["Shopper.on_start", "5xx"] > 20
    assert summary.outside_failed > 20
