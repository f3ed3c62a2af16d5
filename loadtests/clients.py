"""Locust's HTTP clients, told to measure: a total time limit, and never a silent second try.

Importing this module imports Locust, which patches the process.
"""

from locust import FastHttpUser, HttpUser  # isort: skip - first, before ssl is imported

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gevent
import geventhttpclient.client
import requests.exceptions
from locust.clients import HttpSession
from locust.clients import ResponseContextManager as SlowResponse
from locust.contrib.fasthttp import FastHttpSession, LocustBadStatusCode
from locust.contrib.fasthttp import ResponseContextManager as FastResponse
from requests.exceptions import HTTPError

from loadtests.recorder import current_seat

LIMIT = "_gameday_request_timeout_s"


def limit_time(user_class: Any, seconds: float) -> None:
    """A request of this user class may take so long in all, from connecting to its last byte.

    Locust's own limits are for each read, so an answer that drips is never too late. A class that
    sets limits itself, and a single request with a `timeout`, keep theirs, as a total.
    """
    if issubclass(user_class, FastHttpUser):
        names = ("network_timeout", "connection_timeout")
        own = [n for n in names if getattr(user_class, n) != getattr(FastHttpUser, n)]
        for name in names:
            if name not in own:
                setattr(user_class, name, seconds)
        if own:
            seconds = sum(getattr(user_class, name) for name in names)
    elif not issubclass(user_class, HttpUser):
        return
    setattr(user_class, LIMIT, seconds)


def patch_clients() -> None:
    """Once in a process, before users are made."""
    send, ask = HttpSession._send_request_safe_mode, FastHttpSession.request  # noqa: SLF001

    def limited_send(self: Any, method: Any, url: Any, **kwargs: Any) -> Any:
        seconds = _total(kwargs.get("timeout")) or getattr(self.user, LIMIT, None)
        if seconds is None:
            return send(self, method, url, **kwargs)
        late = requests.exceptions.ReadTimeout(f"no complete answer within {seconds:g} s")
        name = getattr(self, "explicit_name", None) or urlsplit(url).path
        with _limited(f"{method} {name}"), gevent.Timeout(seconds, late):
            return send(self, method, url, **kwargs)

    def limited_ask(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        seconds = getattr(self.user, LIMIT, None)
        if seconds is None:
            return ask(self, method, url, *args, **kwargs)
        late = TimeoutError(f"no complete answer within {seconds:g} s")
        with _limited(f"{method} {kwargs.get('name') or url}"), gevent.Timeout(seconds, late):
            return ask(self, method, url, *args, **kwargs)

    HttpSession._send_request_safe_mode = limited_send  # noqa: SLF001
    FastHttpSession.request = limited_ask
    _no_success_without_an_answer()
    # geventhttpclient sends a GET again as often as its pool is large, so that a service which
    # closes every second connection seems to be well. One request is one try. A kept connection
    # that the service has closed is noticed before anything is sent, and costs nothing.
    geventhttpclient.client._may_retry_after_send_error = lambda _method: False  # noqa: SLF001


def _total(timeout: Any) -> float | None:
    """Of what requests takes as `timeout`: seconds, or seconds to connect and to read."""
    parts = timeout if isinstance(timeout, tuple) else (timeout,)
    numbers = [part for part in parts if isinstance(part, int | float)]
    return sum(numbers) if numbers and len(numbers) == len(parts) else None


@contextmanager
def _limited(request: str) -> Iterator[None]:
    """Whoever waits has a time limit, so that loadtests.patience leaves it alone."""
    seat = current_seat()
    if seat is None:
        yield
        return
    seat.limited += 1
    seat.request = request
    try:
        yield
    finally:
        seat.limited -= 1


def _no_success_without_an_answer() -> None:
    """`success()` in a locustfile may be about a status, and never about an answer that broke off.

    `if answer.status_code == 200: answer.success()` is what many files say, and an answer that
    drips beyond its time limit has begun with that status.
    """
    for kind, bad_status in ((SlowResponse, HTTPError), (FastResponse, LocustBadStatusCode)):
        succeed = kind.success

        def success(self: Any, succeed: Any = succeed, bad_status: Any = bad_status) -> None:
            error = getattr(self, "error", None) or self.request_meta.get("exception")
            if error is None or isinstance(error, bad_status):
                succeed(self)

        kind.success = success
