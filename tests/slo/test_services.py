"""Requests to services that are loaded beside the target, and the objectives that are theirs."""

from dataclasses import replace

import pytest

from slo.evidence.samples import Samples
from slo.indicators.client import client_view, of_services, requests
from slo.model import Comparison, ErrorKind, Objective, Sample, Source, Unit
from slo.runbook.reader import parse_runbook


def objective(name: str, title: str = "") -> Objective:
    return Objective(
        name=name,
        title=title or name,
        comparison=Comparison.BELOW,
        target=0.1,
        critical=0.2,
        unit=Unit.RATIO,
        source=Source("runbook.md", 1, ""),
    )


def test_only_rows_that_begin_with_the_name_of_a_loaded_service_are_its_own() -> None:
    names = ("error_rate", "search_api_error_rate", "db_error_rate", "search_api_cpu")
    named = of_services([objective(n) for n in names], ["search-api"])
    assert [o.name for o in named] == [
        "error_rate",
        "search-api/error_rate",
        "db_error_rate",
        "search_api_cpu",
    ]
    assert replace(named[1], name="search_api_error_rate") == objective("search_api_error_rate")
    (alone,) = of_services([objective("error_rate", "Search API: Error Rate")], ["search-api"])
    assert alone.name == "search-api/error_rate"


def test_rows_of_one_quantity_are_told_apart_by_their_titles() -> None:
    rows = "Search Error Rate", "Error Rate", "Login Error Rate", "Search Response Time (p95)"
    table = "\n".join(f"| {title} | < 1 % | > 5 % |" for title in rows[:3])
    text = (
        "# Shop\n\n| Metric | Target | Critical |\n|---|---|---|\n"
        f"{table}\n| {rows[3]} | < 100 ms | > 200 ms |\n"
    )
    read = parse_runbook(text, "runbook.md")
    assert [o.name for o in read.objectives] == [
        "search_error_rate",
        "error_rate",
        "login_error_rate",
        "response_time_p95",
    ]
    named = of_services(read.objectives, ["search"])
    assert [o.name for o in named] == [
        "search/error_rate",
        "error_rate",
        "login_error_rate",
        "search/response_time_p95",
    ]


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("error_rate", (0.0, 6)),
        ("search/error_rate", (0.5, 4)),
        ("other/error_rate", "no traffic: no request was due in this phase"),
    ],
)
def test_each_row_is_judged_by_the_requests_to_its_service(
    name: str, seen: tuple[float, int] | str
) -> None:
    rows = [Sample(i, i, 0.1, "[x] GET /", 200, ErrorKind.NONE) for i in range(6)]
    for i in range(4):
        bad = i % 2 == 0
        status, error = (500, ErrorKind.SERVER_ERROR) if bad else (200, ErrorKind.NONE)
        rows.append(Sample(i, i, 0.1, "search » GET /", status, error))
    view = client_view(name)
    assert view is not None
    found = view.evidence(requests(Samples.from_rows(rows)))
    assert (found if isinstance(found, str) else (found.value, found.count)) == seen
