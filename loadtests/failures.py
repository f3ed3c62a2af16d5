"""Foreign errors, translated once: what a failed request is called in the samples."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator

from slo.model import ErrorKind

CLIENT_ERROR, SERVER_ERROR = 400, 500
_BY_NAME = {  # by class name, so that the clients' libraries need not be imported here
    "Timeout": ErrorKind.TIMEOUT,
    "HTTPConnectionClosed": ErrorKind.RESET,
    "EmptyResponse": ErrorKind.RESET,
    "HTTPParseError": ErrorKind.OTHER,
    "WebSocketTimeoutException": ErrorKind.TIMEOUT,
    "WebSocketConnectionClosedException": ErrorKind.RESET,
}
_BY_FAMILY: dict[type[BaseException], ErrorKind] = {  # the first that fits
    TimeoutError: ErrorKind.TIMEOUT,
    ConnectionRefusedError: ErrorKind.REFUSED,
    ConnectionError: ErrorKind.RESET,
    ssl.SSLError: ErrorKind.OTHER,
}
_BY_ERRNO = {
    errno.ECONNREFUSED: ErrorKind.REFUSED,
    errno.ECONNRESET: ErrorKind.RESET,
    errno.EPIPE: ErrorKind.RESET,
    errno.ECONNABORTED: ErrorKind.RESET,
    errno.ESHUTDOWN: ErrorKind.RESET,
    errno.ETIMEDOUT: ErrorKind.TIMEOUT,
    errno.EHOSTUNREACH: ErrorKind.REFUSED,
    errno.ENETUNREACH: ErrorKind.REFUSED,
}
_OWN = frozenset((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM))


def error_kind(status: int, error: BaseException | None) -> ErrorKind:
    """Of one request: its HTTP status (0 without an answer, or without HTTP) and its exception.

    Without an exception it is a success, whatever its status: the locustfile may have said so. What
    this machine lacked is the generator's own fault, and never the service's.
    """
    if error is None:
        return ErrorKind.NONE
    if status >= SERVER_ERROR:
        return ErrorKind.SERVER_ERROR
    if status >= CLIENT_ERROR:
        return ErrorKind.CLIENT_ERROR
    if not status and own_shortage(error):
        return ErrorKind.GENERATOR
    return next((k for k in map(_kind_of, _chain(error)) if k is not None), ErrorKind.OTHER)


def own_shortage(error: BaseException | None) -> str:
    """What this machine lacked, so that the request was never sent; "" for other errors."""
    for each in _chain(error):
        if isinstance(each, socket.gaierror):
            return f"the name of the service was not resolved ({each.strerror})"
        if isinstance(each, OSError) and each.errno in _OWN:
            return os.strerror(each.errno)
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it; `original` is geventhttpclient's RetriesExceeded's."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "original", None) or error.__cause__ or error.__context__


def _kind_of(error: BaseException) -> ErrorKind | None:
    for parent in type(error).__mro__:
        if parent.__name__ in _BY_NAME:
            return _BY_NAME[parent.__name__]
    for family, kind in _BY_FAMILY.items():
        if isinstance(error, family):
            return kind
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_ERRNO.get(error.errno)
    return None
