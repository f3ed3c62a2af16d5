"""Answers as Prometheus 2 and 3, Thanos, Mimir and others give them, one by one."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from slo.evidence.metrics import ALERTS, RULES
from slo.indicators.slis import Place, Sli
from slo.model import Comparison, Phase, PhaseKind, Unit
from slo.observe.answers import PartialAnswerError, PrometheusError, UnfitAnswerError
from slo.observe.phases import Scope, measure, series
from slo.observe.prometheus import Prometheus
from tests.slo.observe.fronts import JSON, Answered, Request, answering, body

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
PHASE = Phase(experiment="e", kind=PhaseKind.FAULT, start=NOW, end=NOW + timedelta(seconds=20))
STEP = timedelta(seconds=2)
THANOS = "No StoreAPIs matched for this query"
MIXED = "PromQL warning: encountered a mix of histograms and floats for aggregation"
COUNTER = 'PromQL info: metric might not be a counter, name does not end in _total: "x" (1:6)'


def instant(answer: Answered) -> list[float]:
    with answering(lambda _: answer) as front:
        return [v.value for v in Prometheus(front.url, timeout_s=5).instant("x", NOW)]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            (401, "text/plain; charset=utf-8", b"no org id\n"),  # Mimir without X-Scope-OrgID
            r"http://127\.0\.0\.1:\d+ answered 401 Unauthorized: no org id",
        ),
        (
            (403, JSON, b'{"message":"Missing Authentication Token"}'),  # a gateway
            "answered 403 Forbidden: Missing Authentication Token",
        ),
        ((503, "text/html", b"<h1>no</h1>"), "answered 503 Service Unavailable$"),
        ((404, "text/plain", b"404 page not found\n"), "answered 404 Not Found: 404 page not"),
        ((302, "text/html", b"https://sso.example.org/login?state=1"), "302 Found, to https://sso"),
        ((200, "text/html", b"<h1>hello</h1>"), "what answers is not Prometheus"),
        ((200, JSON, b'{"status": "ok"}'), "what answers is not Prometheus"),
        ((200, JSON, b"[]"), "what answers is not Prometheus"),
        ((200, JSON, b'{"status": "success"}'), "what answers is not Prometheus"),
        (body(data={"result": [{"value": 1}]}), "its result has another shape"),
        (body(data={"resultType": "vector"}), "its result has another shape"),
        (
            (422, JSON, b'{"status":"error","errorType":"execution","error":"too many samples"}'),
            "Prometheus refused the query: too many samples",
        ),
        (
            # Mimir's query-frontend, with a limit of the tenant.
            (422, JSON, b'{"status":"error","error":"exceeded the maximum\\nlength"}'),
            "Prometheus refused the query: exceeded the maximum length",
        ),
        (
            (503, JSON, b'{"status":"error","errorType":"timeout","error":"query timed out"}'),
            "Prometheus refused the query: query timed out",
        ),
    ],
)
def test_every_bad_answer_is_one_sentence(answer: Answered, sentence: str) -> None:
    with pytest.raises(PrometheusError, match=sentence) as raised:
        instant(answer)
    assert "\n" not in str(raised.value)


def test_credentials_are_not_sent_to_where_an_answer_points() -> None:
    with (
        answering(lambda _: body()) as other,
        answering(lambda _: (307, JSON, f"{other.url}/x".encode())) as front,
    ):
        with pytest.raises(PrometheusError, match="307"):
            Prometheus(front.url, timeout_s=5).names()
        assert other.seen == []


def test_what_is_no_finite_number_is_no_value() -> None:
    rows = [{"metric": {"i": v}, "value": [1.5, v]} for v in ("NaN", "+Inf", "-Inf", "0.5")]
    assert instant(body(data={"resultType": "vector", "result": rows})) == [0.5]
    assert instant(body(data={"resultType": "scalar", "result": [1.5, "2"]})) == [2.0]
    assert instant(body(data={"resultType": "scalar", "result": [1.5, "NaN"]})) == []


HISTOGRAM = {"count": "3", "sum": "1.5", "buckets": [[0, "0.25", "0.5", "3"]]}


@pytest.mark.parametrize(
    "row",
    [
        {"metric": {}, "histogram": [1.5, HISTOGRAM]},
        {"metric": {}, "value": [1.5, "1"], "histograms": [[1.5, HISTOGRAM]]},
    ],
)
def test_a_native_histogram_is_not_taken_for_a_number_or_for_nothing(row: object) -> None:
    with pytest.raises(UnfitAnswerError, match=r"native histograms.*take histogram_quantile\(\)"):
        instant(body(data={"resultType": "vector", "result": [row]}))


def test_a_range_where_a_number_is_wanted_is_said() -> None:
    rows = [{"metric": {}, "values": [[1.5, "1"]]}]
    with pytest.raises(UnfitAnswerError, match="gives a range"):
        instant(body(data={"resultType": "matrix", "result": rows}))


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"warnings": [THANOS]}, (THANOS,)),
        ({"warnings": [MIXED, COUNTER]}, (MIXED,)),  # Prometheus 2.53 has remarks among them
        ({"warnings": [MIXED], "infos": [COUNTER]}, (MIXED,)),
        ({"isPartial": True}, ("isPartial is true",)),  # VictoriaMetrics
    ],
)
def test_an_answer_with_warnings_is_no_answer(
    fields: dict[str, object], warnings: tuple[str, ...]
) -> None:
    with pytest.raises(PartialAnswerError, match="partial answer: ") as raised:
        instant(body(**fields))
    assert raised.value.warnings == warnings
    with answering(lambda _: body(data=["up"], **fields)) as front:
        prometheus = Prometheus(front.url, timeout_s=5)
        for ask in (prometheus.names, prometheus.alert_rules, prometheus.clock):
            with pytest.raises(PartialAnswerError):
                ask()


@pytest.mark.parametrize("field", ["infos", "warnings"])  # of Prometheus 3, and before it
def test_remarks_stand_beside_the_value_of_their_own_query(field: str) -> None:
    def answer(request: Request) -> Answered:
        return body(**({field: [COUNTER]} if request.query["query"] == "odd" else {}))

    with answering(answer) as front:
        prometheus = Prometheus(front.url, timeout_s=5)
        gate = threading.Barrier(2)
        found: dict[str, list[tuple[str, ...]]] = {"odd": [], "even": []}

        def ask(expr: str) -> None:
            gate.wait(10)
            for _ in range(10):
                found[expr].append(prometheus.instant(expr, NOW).remarks)

        threads = [threading.Thread(target=ask, args=(expr,)) for expr in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {"odd": [(COUNTER,)] * 10, "even": [()] * 10}


SLI = Sli(
    name="queue_age",
    unit=Unit.SECONDS,
    definition="",
    user_facing=False,
    better=Comparison.BELOW,
    value="value",
    count="count",
    scrapes="",
    fresh="",
    series="queue_age_seconds",
    empty="nothing in the queue",
    slack="slack",
)
SCOPE = Scope(
    place=Place(namespace="n", workload="w", kind="Deployment", pods="w-.*", selector=""),
    slis=(SLI,),
    scrape_interval=STEP,
)


@pytest.mark.parametrize(
    "partial", ["value", "count", "slack", "max(count_over_time(up[20000ms]))"]
)
def test_a_partial_answer_to_any_query_leaves_no_value_and_stands_in_the_evidence(
    partial: str,
) -> None:
    def answer(request: Request) -> Answered:
        found = vector(10 if "up[" in request.query["query"] else 0.5)
        return body(data=found, warnings=[THANOS] if request.query["query"] == partial else [])

    with answering(answer) as front:
        (found,) = measure(Prometheus(front.url, timeout_s=5), PHASE, SCOPE)
    assert found.indicator.value is None
    assert found.indicator.missing.startswith("partial answer: Prometheus warned that")
    assert THANOS in found.indicator.missing
    assert found.warnings == (THANOS,)


def test_a_remark_leaves_the_value_and_stands_in_the_evidence() -> None:
    with answering(lambda _: body(data=vector(10), infos=[COUNTER])) as front:
        (found,) = measure(Prometheus(front.url, timeout_s=5), PHASE, SCOPE)
    assert found.indicator.value == 10
    assert found.warnings == (COUNTER,)


@pytest.mark.parametrize("values", [(1, 2, 3), (1, "NaN", 2)])
def test_several_series_where_one_number_is_wanted_are_counted(
    values: tuple[float | str, ...],
) -> None:
    def answer(request: Request) -> Answered:
        return body(data=vector(*values) if request.query["query"] == "value" else vector(10))

    with answering(answer) as front:
        (found,) = measure(Prometheus(front.url, timeout_s=5), PHASE, SCOPE)
    assert found.indicator.missing == (
        "the expression of its value gives 3 series where one number is wanted:"
        " wrap it in sum() or max()"
    )


def vector(*values: float | str) -> dict[str, object]:
    rows = [{"metric": {"i": str(i)}, "value": [1.5, str(v)]} for i, v in enumerate(values)]
    return {"resultType": "vector", "result": rows}


@pytest.mark.parametrize("whole", [True, False])
def test_alerts_are_known_only_from_a_whole_answer(whole: bool) -> None:  # noqa: FBT001
    """Else an alert that fired in the part that is missing would count as silent."""

    def answer(request: Request) -> Answered:
        if request.path.endswith("/rules"):
            return body(data={"groups": []})
        matrix = {"resultType": "matrix", "result": []}
        partial = request.query["query"] == ALERTS and not whole
        return body(data=matrix, warnings=[THANOS] if partial else [])

    with answering(answer) as front:
        prometheus = Prometheus(front.url, timeout_s=5)
        found = series(prometheus, PHASE.start, PHASE.end, SCOPE)
    assert (RULES in {line.name for line in found}) is whole


def test_a_range_keeps_its_milliseconds_and_comes_in_pieces() -> None:
    start = datetime.fromtimestamp(1_800_000_000.25, UTC)
    step = timedelta(milliseconds=500)

    def answer(request: Request) -> Answered:
        first, last, each = (float(request.query[k]) for k in ("start", "end", "step"))
        count = round((last - first) / each) + 1
        if count > 11_000:
            text = "exceeded maximum resolution of 11,000 points per timeseries"
            return 400, JSON, json.dumps({"status": "error", "error": text}).encode()
        points = [[first + i * each, str(i)] for i in range(count)]
        rows = [{"metric": {"pod": "a"}, "values": points}]
        return body(data={"resultType": "matrix", "result": rows}, infos=[COUNTER])

    with answering(answer) as front:
        prometheus = Prometheus(front.url, timeout_s=20)
        found = prometheus.range("x", start, start + 25_000 * step, step)
        (line,) = found
        assert len(front.seen) == 3
    assert line.times == tuple(1_800_000_000.25 + i * 0.5 for i in range(25_001))
    assert found.remarks == (COUNTER,)
