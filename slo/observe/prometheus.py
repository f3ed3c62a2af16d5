"""The one module that talks to Prometheus, by the few queries of its HTTP API that we need.

https://prometheus.io/docs/prometheus/latest/querying/api/. How bytes travel is handed in: over
HTTP directly, or through the Kubernetes API server's service proxy.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

Fetch = Callable[[str, dict[str, str]], bytes]
"""GET a path with query parameters; the body, or a PrometheusError when there is none."""


class PrometheusError(Exception):
    """Prometheus cannot be reached, or refused the query; the message is one sentence."""


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


_Point = tuple[float, float]  # Prometheus sends the value as a string, "NaN" among them


class _Series(BaseModel):
    metric: dict[str, str]
    value: _Point | None = None
    values: tuple[_Point, ...] = ()


class _Vector(BaseModel):
    resultType: Literal["vector", "matrix"]  # noqa: N815 - the API's spelling
    result: tuple[_Series, ...]


class _Scalar(BaseModel):
    resultType: Literal["scalar"]  # noqa: N815 - the API's spelling
    result: _Point


class _Success(BaseModel):
    status: Literal["success"]
    data: Annotated[_Vector | _Scalar, Field(discriminator="resultType")]


class _Rule(BaseModel):
    type: str
    name: str
    duration: float = 0.0
    labels: dict[str, str] = Field(default_factory=dict)


class _Group(BaseModel):
    rules: tuple[_Rule, ...]


class _Groups(BaseModel):
    groups: tuple[_Group, ...]


class _SuccessRules(BaseModel):
    status: Literal["success"]
    data: _Groups


class _Refusal(BaseModel):
    status: Literal["error"]
    error: str


_ANSWER: TypeAdapter[_Success | _Refusal] = TypeAdapter(
    Annotated[_Success | _Refusal, Field(discriminator="status")]
)


class _SuccessNames(BaseModel):
    status: Literal["success"]
    data: tuple[str, ...]


_RULES: TypeAdapter[_SuccessRules | _Refusal] = TypeAdapter(
    Annotated[_SuccessRules | _Refusal, Field(discriminator="status")]
)
_NAMES: TypeAdapter[_SuccessNames | _Refusal] = TypeAdapter(
    Annotated[_SuccessNames | _Refusal, Field(discriminator="status")]
)
_Good = TypeVar("_Good", _Success, _SuccessRules, _SuccessNames)


class Prometheus:
    """Queries to one Prometheus. Every method raises PrometheusError and nothing else."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def instant(self, expr: str, time: datetime) -> list[Value]:
        """The instant vector of `expr` at `time`, without elements that are NaN or infinite."""
        data = self._query("/api/v1/query", {"query": expr, "time": _stamp(time)})
        if isinstance(data, _Scalar):
            return [Value({}, data.result[1])] if math.isfinite(data.result[1]) else []
        return [
            Value(s.metric, s.value[1])
            for s in data.result
            if s.value is not None and math.isfinite(s.value[1])
        ]

    def range(self, expr: str, start: datetime, end: datetime, step: timedelta) -> list[Points]:
        """`expr` at start, start + step, ... up to `end`, without NaN and infinities."""
        data = self._query(
            "/api/v1/query_range",
            {
                "query": expr,
                "start": _stamp(start),
                "end": _stamp(end),
                "step": f"{step.total_seconds():.3f}",
            },
        )
        if isinstance(data, _Scalar):
            raise PrometheusError("Prometheus answered a range query with a scalar")
        rows = []
        for series in data.result:
            kept = [point for point in series.values if math.isfinite(point[1])]
            if kept:
                times, values = zip(*kept, strict=True)
                rows.append(Points(series.metric, times, values))
        return rows

    def clock(self) -> float:
        """What Prometheus says the time is, in seconds since the epoch."""
        data = self._query("/api/v1/query", {"query": "time()"})
        if not isinstance(data, _Scalar):
            raise PrometheusError("Prometheus did not say what time it is")
        return data.result[1]

    def alert_rules(self) -> list[AlertRule]:
        """All alerting rules that Prometheus evaluates."""
        answer = self._ask(_RULES, "/api/v1/rules", {"type": "alert"})
        return [
            AlertRule(rule.name, rule.labels, rule.duration)
            for group in answer.data.groups
            for rule in group.rules
            if rule.type == "alerting"
        ]

    def names(self) -> frozenset[str]:
        """The names of all metrics that have samples, and of all recording rules."""
        return frozenset(self._ask(_NAMES, "/api/v1/label/__name__/values", {}).data)

    def _query(self, path: str, query: dict[str, str]) -> _Vector | _Scalar:
        return self._ask(_ANSWER, path, query).data

    def _ask(
        self, kind: "TypeAdapter[_Good | _Refusal]", path: str, query: dict[str, str]
    ) -> "_Good":
        body = self._fetch(path, query)
        try:
            answer = kind.validate_python(json.loads(body))
        except (ValueError, ValidationError) as error:
            raise PrometheusError("what answers is not Prometheus: no JSON of its API") from error
        if isinstance(answer, _Refusal):
            raise PrometheusError(f"Prometheus refused the query: {answer.error}")
        return answer


def _stamp(time: datetime) -> str:
    return f"{time.timestamp():.3f}"


def http_fetch(url: str, timeout_s: float) -> Fetch:
    """Straight over HTTP to the Prometheus at `url`, each request within `timeout_s` seconds."""
    base = url.rstrip("/")

    def fetch(path: str, query: dict[str, str]) -> bytes:
        try:
            response = httpx.get(base + path, params=query, timeout=timeout_s)
        except httpx.TimeoutException as error:
            raise PrometheusError(f"no answer from {base} within {timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrometheusError(f"cannot reach {base}: {error}") from error
        # Refusals come as 400, 422 or 503 with the reason in the same JSON envelope.
        json_body = "json" in response.headers.get("content-type", "")
        if response.is_success or json_body:
            return response.content
        raise PrometheusError(f"{base} answered {response.status_code} {response.reason_phrase}")

    return fetch
