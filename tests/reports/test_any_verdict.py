"""Whatever a verdict holds, its reports can be made and read back."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from reports import html, items, junit, markdown
from slo.model import (
    BudgetAlert,
    BudgetWindow,
    Check,
    Difference,
    EndpointResult,
    ErrorBudget,
    ExperimentResult,
    IncidentCost,
    Indicator,
    Interval,
    LoadResult,
    Objective,
    ObjectiveResult,
    Order,
    Outcome,
    Phase,
    ReleaseComparison,
    Source,
    Timeline,
    TimelineMark,
    Verdict,
)
from tests.reports.pages import Page

text = st.text(max_size=12) | st.sampled_from(["<b>", "$x^$", "a|b", "```", "\x1b[2J", "\ud800"])
names = st.sampled_from(["a", "b", "<i>"])
times = st.integers(0, 10**6).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
values = st.floats(0, 1e9) | st.just(0.0)
maybe = st.none() | values
counts = st.integers(0, 10**9)


def few(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


def build(kind: type, **fields: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Every field by its type, unless given."""
    return st.builds(kind, **fields)


indicators = build(
    Indicator,
    value=values,
    count=counts,
    interval=st.none() | build(Interval, low=values, high=values, confidence=st.floats(0.5, 0.99)),
    missing=st.just(""),
) | build(Indicator, value=st.none(), count=counts, interval=st.none(), missing=st.text(min_size=1))
objectives = build(
    Objective,
    name=text,
    title=text,
    target=values,
    critical=values,
    source=build(Source, file=text, line=counts, section=text),
)
results = build(
    ObjectiveResult, experiment=names, objective=objectives, indicator=indicators, reason=text
)
checks = build(Check, name=text, expected=text, observed=text, evidence=text)
experiments = build(
    ExperimentResult,
    name=names,
    title=text,
    fault=text,
    severity_reason=text,
    time_to_detect_s=maybe,
    time_to_recover_s=maybe,
    checks=few(checks),
    phases=few(build(Phase, experiment=names, start=times, end=times)),
)
endpoints = build(
    EndpointResult,
    endpoint=text,
    requests=counts,
    errors=st.dictionaries(text, counts, max_size=2),
    p50_s=maybe,
    p95_s=maybe,
    p99_s=maybe,
)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    size = draw(st.integers(0, 5))
    requests = st.lists(counts, min_size=size, max_size=size).map(tuple)
    latencies = st.lists(maybe, min_size=size, max_size=size).map(tuple)
    return Timeline(
        start=draw(times),
        step_s=draw(st.floats(0.1, 100)),
        requests=draw(requests),
        errors=draw(requests),
        p50_s=draw(latencies),
        p95_s=draw(latencies),
    )


intervals = build(Interval, low=values, high=values, confidence=st.floats(0.5, 0.99))
comparisons = build(
    ReleaseComparison,
    baseline=text,
    headline=text,
    confidence=st.floats(0.5, 0.99),
    window_s=values,
    differences=few(
        build(
            Difference,
            endpoint=text,
            quantity=text,
            baseline=indicators,
            new=indicators,
            change=st.none() | st.floats(-1e9, 1e9),
            interval=st.none() | intervals,
            matters=values,
            machine=values,
            reason=text,
            more=maybe,
        )
    ),
    orders=few(build(Order, endpoint=text, slower=st.floats(0, 1), p=st.floats(0, 1))),
    notes=few(text),
)
windows = build(
    BudgetWindow,
    length_s=st.floats(1, 1e7),
    covered_s=values,
    requests=counts,
    failed=counts,
    burn_rate=values,
    at_least=values,
)
budgets = build(
    ErrorBudget,
    objective=st.floats(0.5, 0.99),
    period_s=st.floats(1, 1e7),
    length_s=values,
    requests=counts,
    failed=counts,
    burn_rate=values,
    budget=values,
    cost=values,
    incidents=few(
        build(
            IncidentCost,
            experiment=names,
            length_s=values,
            requests=counts,
            failed=counts,
            cost=values,
        )
    ),
    alerts=few(build(BudgetAlert, long=windows, short=windows, burn_rate=values)),
)
verdicts = build(
    Verdict,
    gameday_version=text,
    run=text,
    plan=text,
    target=text,
    started=times,
    ended=times,
    ended_by=text,
    time_scale=st.floats(0.1, 100),
    headline=text,
    score=st.floats(0, 100),
    objectives=few(results),
    experiments=few(experiments),
    load=build(
        LoadResult,
        scenario=text,
        scheduled=counts,
        sent=counts,
        scheduled_rate=values,
        achieved_rate=values,
        late_p99_s=maybe,
        reason=text,
    ),
    endpoints=few(endpoints),
    timeline=timelines(),
    marks=few(build(TimelineMark, time=times, experiment=names, label=text)),
    notes=few(text),
    comparison=st.none() | comparisons,
    budget=st.none() | budgets,
)

slow_to_draw = [HealthCheck.too_slow, HealthCheck.data_too_large]


@given(verdicts)
@settings(max_examples=15, deadline=None, suppress_health_check=slow_to_draw)
def test_the_page_is_whole_and_can_be_stored(verdict: Verdict) -> None:
    source = html.render(verdict)
    source.encode()
    assert "script" not in {tag for tag, _ in Page(source).tags}


@given(verdicts)
@settings(max_examples=40, deadline=None, suppress_health_check=slow_to_draw)
def test_junit_counts_whatever_was_judged(verdict: Verdict) -> None:
    document = JUnitXml.fromstring(junit.render(verdict).encode())
    outcomes = [i.outcome for i in items.items(verdict)] + [verdict.outcome]
    assert document.tests == len(outcomes)
    assert document.failures == outcomes.count(Outcome.FAIL)
    assert document.errors == outcomes.count(Outcome.INCONCLUSIVE)


@given(verdicts)
@settings(max_examples=40, deadline=None, suppress_health_check=slow_to_draw)
def test_the_summary_keeps_its_tables(verdict: Verdict) -> None:
    source = markdown.render(verdict)
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    rows = [t for t in tokens if t.type == "tr_open"]
    lines = [line for line in source.splitlines() if line.startswith("| ")]
    ruled = [line for line in lines if line.startswith("| --- ")]
    assert len(rows) == len(lines) - len(ruled)
    assert not [t for t in tokens if t.type == "html_block"]
