"""A redirect is an answer, and no other host is ever loaded because of one.

Locust's clients follow redirects unless told otherwise, so that a service that sends everybody to a
login page seems to be well. Importing this module imports Locust, which patches the process.
"""

from locust.clients import HttpSession  # isort: skip - first, before ssl is imported

from typing import Any
from urllib.parse import urljoin, urlsplit

import requests.exceptions
from locust.contrib.fasthttp import FastHttpSession, FastRequest


def _sentence(location: str) -> str:
    """The locustfile asked to follow a redirect, which leads to another host."""
    host = urlsplit(location).netloc
    return f"redirected to another host, {host}, which is not followed"


def patch_redirects() -> None:
    """Once in a process. `allow_redirects=True` in the locustfile follows within the host."""
    FastHttpSession.request = _answers(FastHttpSession.request)
    FastRequest.redirect = _within_the_host(FastRequest.redirect)
    for name in ("request", "get", "options"):
        setattr(HttpSession, name, _answers(getattr(HttpSession, name)))
    HttpSession.get_redirect_target = _target(HttpSession.get_redirect_target)
    HttpSession._send_request_safe_mode = _judged(HttpSession._send_request_safe_mode)  # noqa: SLF001


def _answers(ask: Any) -> Any:
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("allow_redirects", False)
        return ask(self, *args, **kwargs)

    return request


def _within_the_host(lead: Any) -> Any:
    def redirect(self: Any, code: int, location: str) -> None:
        there = urljoin(self.url, location)
        if _elsewhere(self.url, there):
            raise OSError(_sentence(there))  # each client has its own idea of a failed request
        lead(self, code, location)

    return redirect


def _target(find: Any) -> Any:
    def get_redirect_target(self: Any, response: Any) -> Any:
        location = find(self, response)
        if location and _elsewhere(response.url, urljoin(response.url, location)):
            return None  # requests ends here, with the redirect as the answer
        return location

    return get_redirect_target


def _judged(send: Any) -> Any:
    """Where requests was to follow, and ended at a redirect, it leads elsewhere."""

    def send_request(self: Any, method: Any, url: str, **kwargs: Any) -> Any:
        response = send(self, method, url, **kwargs)
        if kwargs.get("allow_redirects") and response.is_redirect:
            there = urljoin(url, response.headers["location"])
            response.error = requests.exceptions.RequestException(_sentence(there))
        return response

    return send_request


def _elsewhere(here: str, there: str) -> bool:
    return urlsplit(here).netloc != urlsplit(there).netloc
