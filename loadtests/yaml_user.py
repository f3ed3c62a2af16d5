"""Turns `requests:` of a scenario into a Locust user. Importing this module imports Locust."""

import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any

from locust import FastHttpUser

from loadtests.requests_yaml import Filled, Request, rows_of
from loadtests.weights import repeated


def user_of(requests: Sequence[Request]) -> type[Any]:
    """A user class with one task for each request, called as its endpoint is.

    Raises KeyError for an environment variable that is not set, ValueError for a bad CSV file.
    """
    tasks = [_task(request) for request in requests]
    weights = repeated(tasks, [request.weight for request in requests])
    return type("Requests", (FastHttpUser,), {"tasks": weights, "concurrency": 1})


def _task(request: Request) -> Callable[[Any], None]:
    rows = rows_of(request.values) if request.values else [{}]
    ready = itertools.cycle([request.filled(os.environ, row) for row in rows])

    def send(user: Any) -> None:
        filled = next(ready)
        try:
            _send(user, request, filled)
        except Exception as error:  # noqa: BLE001 - its text may have the filled-in header or path
            raise RuntimeError(
                f"{request.endpoint} could not be sent: {type(error).__name__}"
            ) from None

    send.__name__ = send.__qualname__ = request.endpoint
    return send


def _send(user: Any, request: Request, filled: Filled) -> None:
    with user.client.request(
        request.method,
        filled.path,
        name=request.name or request.path,
        data=filled.body.encode() if filled.body is not None else None,
        headers=filled.headers,
        allow_redirects=False,  # a redirect is an answer, and no reason to load another host
        catch_response=True,
    ) as response:
        status = response.status_code or 0
        if not status:
            return  # there was no answer: a failure, with its own cause
        if why := request.expect.misses(status, response.text):
            response.failure(why)
        else:
            response.success()
