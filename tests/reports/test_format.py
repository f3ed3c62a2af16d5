"""Numbers on the screen do not say more, less or other than the numbers inside."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import format as fmt
from reports.series import resample
from slo.model import Indicator, Objective, Outcome, Timeline
from tests.reports.examples import AVAILABILITY, ERROR_RATE, RESPONSE_TIME, START


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.00008, "80 µs"),
        (0.0034, "3.4 ms"),
        (0.412, "412 ms"),
        (0.9996, "1 s"),
        (1.3, "1.3 s"),
        (61.44, "61.4 s"),
        (125, "2 min 5 s"),
        (3600, "60 min"),
        (7320, "2 h 2 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert fmt.seconds(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.001, "0.1 %"),
        (0.00148, "0.148 %"),
        (0.6, "60 %"),
        (0.9995, "99.95 %"),
        (0.99999, "99.999 %"),
        (1.25, "125 %"),
    ],
)
def test_shares(ratio: float, text: str) -> None:
    assert fmt.percent(ratio) == text


@given(st.floats(0.0001, 0.9999))
def test_a_share_is_shown_close_and_never_as_all_or_nothing(ratio: float) -> None:
    shown = float(fmt.percent(ratio).removesuffix(" %")) / 100
    assert shown == pytest.approx(ratio, rel=0.01)
    assert 1 - shown == pytest.approx(1 - ratio, rel=0.01)
    assert 0 < shown < 1


@given(
    st.sampled_from([RESPONSE_TIME, ERROR_RATE, AVAILABILITY]),
    st.floats(-1e-4, 1e-4).filter(lambda d: abs(d) > 1e-7),
)
def test_a_value_beside_its_threshold_never_reads_like_it(
    objective: Objective, offset: float
) -> None:
    value = objective.target * (1 + offset)
    text = fmt.measured(Indicator(value=value, count=1), objective)
    assert text != fmt.quantity(objective.target, objective.unit)


def test_a_missing_value_is_no_data() -> None:
    assert fmt.measured(Indicator(value=None, count=0, missing="away"), ERROR_RATE) == "no data"


def test_thresholds_are_written_with_the_sign_of_what_they_ask() -> None:
    assert fmt.target(RESPONSE_TIME) == "< 100 ms"
    assert fmt.critical(RESPONSE_TIME) == "> 500 ms"
    assert fmt.target(AVAILABILITY) == "> 99.9 %"
    assert fmt.critical(AVAILABILITY) == "< 99 %"


def test_a_moment_just_before_the_start_is_no_negative_zero() -> None:
    assert fmt.offset(START, START - timedelta(milliseconds=20)) == "0.0 s"
    assert fmt.offset(START, START + timedelta(seconds=3661.04)) == "3,661.0 s"


def test_tallies_tell_the_worst_first() -> None:
    seen = [Outcome.PASS, Outcome.FAIL, Outcome.PASS, Outcome.INCONCLUSIVE]
    assert fmt.tally(seen) == "1 fail, 1 inconclusive, 2 pass"


buckets = st.lists(
    st.tuples(st.integers(0, 99), st.none() | st.floats(0.001, 9)), min_size=1, max_size=300
)


@given(buckets, st.integers(1, 50))
def test_thinning_hides_no_spike_and_loses_no_request(
    rows: list[tuple[int, float | None]], points: int
) -> None:
    counts, latencies = tuple(n for n, _ in rows), tuple(v for _, v in rows)
    series = resample(
        Timeline(
            start=START, step_s=2, requests=counts, errors=counts, p50_s=latencies, p95_s=latencies
        ),
        points,
    )
    assert len(series.time) <= points
    lengths = [min(series.step_s, 2 * len(rows) - t) for t in series.time]
    sent = sum(rate * length for rate, length in zip(series.rate, lengths, strict=True))
    assert sent == pytest.approx(sum(counts))
    worst = max((v for v in latencies if v is not None), default=None)
    shown = max((v for v in series.p95_s if not math.isnan(v)), default=None)
    assert shown == worst
