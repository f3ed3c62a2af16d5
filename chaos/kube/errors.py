"""What goes wrong between us and the API server, in our own words."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3
from kubernetes.client.exceptions import ApiException
from websocket import WebSocketException

PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers that say "not now": the same request may be answered well a moment later."""

_HANDSHAKE = re.compile(r"Handshake status (\d{3})")


class ClusterError(Exception):
    """The cluster cannot be reached, or refused; the message is one sentence.

    `status` is the HTTP status of the answer, 0 where there was none; `reason` is Kubernetes' word
    for it, e.g. "AlreadyExists"; `body` is what was answered, "" where nothing was. `after_s` is
    how long the server asks to wait before the next try, in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        passing: bool = False,
        body: str = "",
        after_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.passing = passing  # worth trying again
        self.body = body
        self.after_s = after_s


class NotStartedError(ClusterError):
    """A command did not begin to run in a container: nothing was changed by it.

    `missing` says that its container has no such program.
    """

    def __init__(self, message: str, *, status: int = 0, missing: bool = False) -> None:
        super().__init__(message, status=status)
        self.missing = missing


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every error of the client, its HTTP library and its websockets into a ClusterError."""
    try:
        yield
    except ApiException as error:
        status = _status(error)
        raise ClusterError(
            f"cannot {doing}: {_reason(error)}",
            status=status,
            reason=_told(error, "reason"),
            passing=status in PASSING or status == 0,
            body=str(error.body or ""),
            after_s=_after_s(error, datetime.now(UTC)),
        ) from error
    except urllib3.exceptions.HTTPError as error:
        if isinstance(getattr(error, "reason", None), urllib3.exceptions.SSLError):
            why = " ".join(str(error.reason).split())  # type: ignore[attr-defined]
            raise ClusterError(
                f"cannot {doing}: the API server's certificate is not one that the kubeconfig"
                f" trusts, or it does not take ours: {why}"
            ) from error
        raise ClusterError(
            f"cannot {doing}: the API server does not answer", passing=True
        ) from error
    except (WebSocketException, OSError) as error:
        raise ClusterError(f"cannot {doing}: {error}", passing=True) from error


def _after_s(error: ApiException, now: datetime) -> float:
    """By the header Retry-After (RFC 9110, 10.2.3): seconds, or a date. 0 where there is none."""
    headers = {str(k).lower(): str(v) for k, v in dict(error.headers or {}).items()}
    told = headers.get("retry-after", "")
    try:
        if told.isascii() and told.isdigit():
            return float(told)
        return max(0.0, (parsedate_to_datetime(told) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _status(error: ApiException) -> int:
    """The refusal of a websocket has its HTTP status in the text alone."""
    found = _HANDSHAKE.search(str(error.reason or ""))
    return int(found[1]) if found else int(error.status or 0)


def _reason(error: ApiException) -> str:
    message = _told(error, "message")
    if not message:
        message = str(error.reason or "no reason given")
        if found := re.search(r'"message": ?"((?:[^"\\]|\\.)*)"', message):
            message = found[1]
    return f"{_status(error)} {message}" if _status(error) else message


def _told(error: ApiException, field: str) -> str:
    """A field of the Status in the answer; "" where there is none."""
    try:
        return str(json.loads(error.body or "")[field])
    except (ValueError, KeyError, TypeError):
        return ""
