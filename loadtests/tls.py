"""Whose certificates the load trusts: the usual authorities', those of a file, or anybody's.

A class of the locustfile that sets `insecure` or `ssl_context_factory` itself keeps its own.
Importing this module imports Locust, which patches the process.
"""

from locust import FastHttpUser  # isort: skip - first, before ssl is imported

import os
from functools import cache
from pathlib import Path
from typing import Any

import gevent.ssl
from locust.clients import HttpSession

_OWN = ("insecure", "ssl_context_factory", "client_pool")


def trust(user_class: Any, *, verify: bool, ca_file: Path | None) -> None:
    """How users of this class check certificates. FastHttpUser would not check them at all."""
    if not issubclass(user_class, FastHttpUser):
        return
    above = user_class.__mro__[: user_class.__mro__.index(FastHttpUser)]
    if any(name in vars(each) for each in above for name in _OWN):
        return
    user_class.insecure = not verify
    user_class.ssl_context_factory = staticmethod(lambda **_: _context(ca_file, verify=verify))


def patch_sessions(*, verify: bool, ca_file: Path | None) -> None:
    """Once in a process, for HttpUser, whose sessions check certificates unless told otherwise."""
    if verify and ca_file is None:
        return
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would come before the session's
        os.environ.pop(name, None)
    begin = HttpSession.__init__

    def begin_trusting(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.verify = str(ca_file) if verify else False

    HttpSession.__init__ = begin_trusting


@cache
def _context(ca_file: Path | None, *, verify: bool) -> Any:
    """One for all users, as reading the authorities' certificates takes a while."""
    if not verify:
        context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = gevent.ssl.CERT_NONE
        return context
    return gevent.ssl.create_default_context(cafile=ca_file and str(ca_file))
