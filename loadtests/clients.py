"""Locust's HTTP clients, told to measure: a total time limit, and no silent second try.

Importing this module imports Locust, which patches the process.
"""

from locust import FastHttpUser, HttpUser  # isort: skip - first, before ssl is imported

from typing import TYPE_CHECKING, Any

import gevent
import geventhttpclient.client
import requests.exceptions
from gevent.local import local
from geventhttpclient.connectionpool import ConnectionPool
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = "_gameday_request_timeout_s"


def limit_time(user_class: Any, seconds: float) -> None:
    """A request of this user class may take so long in all, from connecting to its last byte.

    Locust's own limits are for each read, so an answer that drips is never too late. A class that
    sets limits itself keeps them, and so does a single request with a `timeout`.
    """
    if issubclass(user_class, FastHttpUser):
        own = ("network_timeout", "connection_timeout")
        if any(getattr(user_class, name) != getattr(FastHttpUser, name) for name in own):
            return
        for name in own:
            setattr(user_class, name, seconds)
    elif not issubclass(user_class, HttpUser):
        return
    setattr(user_class, LIMIT, seconds)


def patch_clients() -> None:
    """Once in a process, before users are made."""
    send, ask = HttpSession._send_request_safe_mode, FastHttpSession.request  # noqa: SLF001

    def limited_send(self: Any, method: Any, url: Any, **kwargs: Any) -> Any:
        seconds = getattr(self.user, LIMIT, None)
        if seconds is None or kwargs.get("timeout") is not None:
            return send(self, method, url, **kwargs)
        late = requests.exceptions.ReadTimeout(f"no complete answer within {seconds:g} s")
        with gevent.Timeout(seconds, late):
            return send(self, method, url, **kwargs)

    def limited_ask(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        seconds = getattr(self.user, LIMIT, None)
        if seconds is None:
            return ask(self, method, url, *args, **kwargs)
        late = TimeoutError(f"no complete answer within {seconds:g} s")
        with gevent.Timeout(seconds, late):
            return ask(self, method, url, *args, **kwargs)

    HttpSession._send_request_safe_mode = limited_send  # noqa: SLF001
    FastHttpSession.request = limited_ask
    _resend_only_over_kept_connections()


def _resend_only_over_kept_connections() -> None:
    """A request without an answer is sent again only as browsers do.

    geventhttpclient sends a GET again as often as its pool is large, so that a service which closes
    every second connection seems to be well. A browser sends it again if the connection was kept
    from an earlier request, as the server may have closed it for being idle; on a new connection
    no answer is a failure.
    """
    kept = local()
    module = geventhttpclient.client
    create: Callable[..., Any] = ConnectionPool._create_socket  # noqa: SLF001
    get: Callable[..., Any] = ConnectionPool.get_socket
    may_retry: Callable[[str], bool] = module._may_retry_after_send_error  # noqa: SLF001

    def create_socket(self: Any) -> Any:
        kept.connection = False
        return create(self)

    def get_socket(self: Any) -> Any:
        kept.connection = True
        return get(self)

    def may_retry_after_send_error(method: str) -> bool:
        return getattr(kept, "connection", False) and may_retry(method)

    ConnectionPool._create_socket = create_socket  # noqa: SLF001
    ConnectionPool.get_socket = get_socket
    module._may_retry_after_send_error = may_retry_after_send_error  # noqa: SLF001
