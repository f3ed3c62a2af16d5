"""Queries to one Prometheus, sent by prometheus-api-client.

    prometheus = connect(access, folder)             from slo.observe.access
    prometheus.instant("sum(rate(x[1m]))", now)

https://prometheus.io/docs/prometheus/latest/querying/api/. The library is used for what it does
well, a query and its result. What it does otherwise than we need it is wrapped here:

- It drops warnings and the reason of a refusal: slo.observe.answers reads each answer first.
- It rounds the ends of a range to whole seconds: they are sent as parameters, in milliseconds.
- Prometheus refuses more than 11,000 points of a series at once: longer ranges are cut into pieces.
  The library's own chunks (get_metric_range_data) are range selectors, which no function fits.
- It puts label values into quotes as they are: its `label_config` is not used.
- It hands native histograms on as if they were numbers: they are an error that says what to do.
"""

import base64
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import requests
from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from requests.adapters import BaseAdapter
from requests.auth import AuthBase
from urllib3 import Retry

from slo.observe.answers import (
    PartialAnswerError,
    PrometheusError,
    UnfitAnswerError,
    read,
    why_unreachable,
)

MOST_POINTS = 10_000
"""Of a series in one answer; Prometheus refuses more than 11,000."""

_Row = TypeVar("_Row")
_Got = TypeVar("_Got")


class Value(NamedTuple):
    """One element of an instant vector. `value` is finite."""

    labels: Mapping[str, str]
    value: float


class Points(NamedTuple):
    """One series of a range query; times in seconds since the epoch, values finite."""

    labels: Mapping[str, str]
    times: tuple[float, ...]
    values: tuple[float, ...]


class AlertRule(NamedTuple):
    """A rule that makes alerts of this name; `for_s` is how long its condition has to hold."""

    name: str
    labels: Mapping[str, str]
    for_s: float


class Answer(list[_Row]):
    """The rows of an answer.

    `series` is how many there were, those that have no finite value among them; `remarks` is what
    Prometheus says about the expression.
    """

    def __init__(self, rows: Iterable[_Row], series: int, remarks: tuple[str, ...]) -> None:
        super().__init__(rows)
        self.series = series
        self.remarks = remarks


_Point = tuple[float, float]  # Prometheus sends the value as a string, "NaN" among them


class _Series(BaseModel):
    metric: dict[str, str]
    value: _Point | None = None
    values: tuple[_Point, ...] = ()
    histogram: object = None
    histograms: object = None


class _Rule(BaseModel):
    type: str
    name: str
    duration: float = 0.0
    labels: dict[str, str] = Field(default_factory=dict)


class _Group(BaseModel):
    rules: tuple[_Rule, ...]


class _Groups(BaseModel):
    groups: tuple[_Group, ...]


class _Rules(BaseModel):
    data: _Groups


_RESULT: TypeAdapter[tuple[_Series, ...] | _Point] = TypeAdapter(tuple[_Series, ...] | _Point)
_NAMES: TypeAdapter[frozenset[str]] = TypeAdapter(frozenset[str])


class Prometheus:
    """Queries to one Prometheus. Every method raises PrometheusError and nothing else.

    `url` is what stands before /api/v1. The session brings TLS settings, `transport` carries
    requests in place of HTTP, `auth` sets headers. `where` names Prometheus in messages, and
    `secrets` are replaced in them. Raises PrometheusError where `url` is no address.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        session: requests.Session | None = None,
        transport: BaseAdapter | None = None,
        auth: AuthBase | None = None,
        where: str = "",
        secrets: Iterable[str] = (),
    ) -> None:
        self._url = url.rstrip("/")
        inside = re.match(r"\w+://([^/@]*)@", self._url)  # user:password@host
        self._where = where or self._url.replace(f"{inside[1]}@" if inside else "", "", 1)
        self._timeout_s = timeout_s
        self._auth = auth
        known = {*secrets, *(_forms(inside[1]) if inside else ())} - {""}
        self._secrets = sorted(known, key=len, reverse=True)
        self._told = threading.local()  # the remarks of the last answer that this thread had
        self._session = session or requests.Session()
        self._session.hooks["response"].append(self._listen)
        try:
            self._library = PrometheusConnect(
                url=self._url,
                session=self._session,
                # Annotated more narrowly than requests, which gets them, has it.
                auth=auth,  # type: ignore[arg-type]
                timeout=timeout_s,  # type: ignore[arg-type]
                # The library would try a 503 again, and forget why it was one.
                retry=Retry(0, read=False),
            )
        except ValueError as error:
            raise PrometheusError(f"{self._where} is no address: {error}") from error
        if transport is not None:
            self._session.mount(self._url, transport)  # over the one that the library mounts

    def instant(self, expr: str, time: datetime) -> Answer[Value]:
        """The instant vector of `expr` at `time`, without elements that are NaN or infinite.

        Where the expression does not give numbers, that is an UnfitAnswerError.
        """
        return self._instant(expr, {"time": _stamp(_ms(time))})

    def range(self, expr: str, start: datetime, end: datetime, step: timedelta) -> Answer[Points]:
        """`expr` at start, start + step, ... up to `end`, without NaN and infinities."""
        found: dict[tuple[tuple[str, str], ...], list[_Point]] = {}
        remarks: dict[str, None] = {}
        step_ms = max(1, round(step.total_seconds() * 1000))
        for first, last in pieces(_ms(start), _ms(end), step_ms):
            result = self._piece(expr, first, last, step_ms)
            remarks |= dict.fromkeys(self._told.remarks)
            for series in _vector(result):
                key = tuple(sorted(series.metric.items()))
                found.setdefault(key, []).extend(p for p in series.values if math.isfinite(p[1]))
        rows = []
        for labels, points in found.items():
            if points:
                times, values = zip(*points, strict=True)
                rows.append(Points(dict(labels), times, values))
        return Answer(rows, len(found), tuple(remarks))

    def clock(self) -> float:
        """What Prometheus says the time is, in seconds since the epoch."""
        (row,) = self._instant("time()", {}) or (None,)
        if row is None:
            raise PrometheusError("Prometheus did not say what time it is")
        return row.value

    def alert_rules(self) -> list[AlertRule]:
        """All alerting rules that Prometheus evaluates. The library cannot ask for them."""
        found = self._ask(
            lambda: self._session.get(
                f"{self._url}/api/v1/rules",
                params={"type": "alert"},
                auth=self._auth,
                timeout=self._timeout_s,
                verify=self._session.verify,  # said, as the environment's is taken otherwise
            ).json(),
            TypeAdapter(_Rules),
        )
        return [
            AlertRule(rule.name, rule.labels, rule.duration)
            for group in found.data.groups
            for rule in group.rules
            if rule.type == "alerting"
        ]

    def names(self) -> frozenset[str]:
        """The names of all metrics that have samples, and of all recording rules."""
        return self._ask(lambda: self._library.get_label_values("__name__"), _NAMES)

    def _piece(
        self, expr: str, first: int, last: int, step_ms: int
    ) -> tuple[_Series, ...] | _Point:
        limits = {"start": _stamp(first), "end": _stamp(last)}
        start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (first, last))
        step = _stamp(step_ms)
        return self._ask(
            lambda: self._library.custom_query_range(expr, start, end, step, params=limits),
            _RESULT,
        )

    def _instant(self, expr: str, params: dict[str, str]) -> Answer[Value]:
        result = self._ask(lambda: self._library.custom_query(expr, params=params), _RESULT)
        remarks = self._told.remarks
        if result and not isinstance(result[0], _Series):
            rows = [Value({}, float(result[1]))]
        else:
            rows = []
            for series in _vector(result):
                if series.value is None:
                    raise UnfitAnswerError(
                        "the expression gives a range of values where one number is wanted: take a"
                        " function over it, such as avg_over_time()"
                    )
                rows.append(Value(series.metric, series.value[1]))
        return Answer([r for r in rows if math.isfinite(r.value)], len(rows), remarks)

    def _ask(self, send: Callable[[], Any], shape: "TypeAdapter[_Got]") -> _Got:
        """Send a request by the library; the only place where foreign errors come in."""
        try:
            return shape.validate_python(send())
        except PrometheusError as error:
            raise self._masked(error) from None
        except requests.Timeout as error:
            raise PrometheusError(
                f"no answer from {self._where} within {self._timeout_s:g} s"
            ) from error
        # The library takes the result out of whatever JSON it gets.
        except (ValidationError, LookupError, TypeError) as error:
            text = "what answers is not Prometheus: its result has another shape"
            raise PrometheusError(text) from error
        # requests' errors are OSErrors; ValueError is an address that is none.
        except (OSError, PrometheusApiClientException, ValueError) as error:
            text = f"cannot reach {self._where}: {why_unreachable(error)}"
            raise self._masked(PrometheusError(text)) from error

    def _listen(self, response: requests.Response, **_: Any) -> None:
        self._told.remarks = tuple(self._mask(text) for text in read(response, self._where))

    def _masked(self, error: PrometheusError) -> PrometheusError:
        """Somebody else's text may repeat what we sent."""
        error.args = (self._mask(str(error)),)
        if isinstance(error, PartialAnswerError):
            error.warnings = tuple(self._mask(text) for text in error.warnings)
        return error

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def pieces(start_ms: int, end_ms: int, step_ms: int) -> Iterator[tuple[int, int]]:
    """The moments start, start + step, ... up to `end` as pieces (first, last), both of them in.

    None has more than MOST_POINTS moments. All arguments in milliseconds.
    """
    last = start_ms + (end_ms - start_ms) // step_ms * step_ms
    for first in range(start_ms, last + 1, MOST_POINTS * step_ms):
        yield first, min(last, first + (MOST_POINTS - 1) * step_ms)


def _vector(result: tuple[_Series, ...] | _Point) -> Iterator[_Series]:
    """Its series. Raises UnfitAnswerError where they have no numbers."""
    for series in result:
        if not isinstance(series, _Series):
            raise UnfitAnswerError("the expression gives a single number, and no series")
        if series.histogram is not None or series.histograms is not None:
            raise UnfitAnswerError(
                "the expression gives native histograms where numbers are wanted: take"
                " histogram_quantile(), histogram_count() or histogram_fraction() of it"
            )
        yield series


def _forms(credentials: str) -> set[str]:
    """How "user:password" of an address may come back in somebody else's text."""
    plain = unquote(credentials)
    password = credentials.partition(":")[2]
    return {password, unquote(password), base64.b64encode(plain.encode()).decode()}


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _stamp(ms: int) -> str:
    return f"{ms / 1000:.3f}"
