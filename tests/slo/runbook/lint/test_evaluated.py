"""What the rules say of expressions, held against a real Prometheus engine over real samples."""

import math
from dataclasses import replace

from slo.observe.promtool import promtool_evaluator
from slo.runbook.lint.evaluation import (
    HEALTHY,
    Answer,
    ExpressionTrial,
    SyntheticSystem,
    system_series,
)
from slo.runbook.promql import parse
from tests.parts import promtool

EVALUATE = promtool_evaluator(promtool())
OWN = '100 * rate(x_requests_total{status=~"5.."}[5m]) / rate(x_requests_total[5m])'
SHARE = '100 * sum(rate(x_requests_total{status=~"5.."}[5m])) / sum(rate(x_requests_total[5m]))'
MEMORY = "container_memory_working_set_bytes / container_spec_memory_limit_bytes"


def answers(*asked: tuple[str, SyntheticSystem]) -> list[Answer]:
    trials = []
    for expr, world in asked:
        series = system_series(parse(expr), world)
        assert series is not None, expr
        trials.append(ExpressionTrial(expr, series))
    return EVALUATE(trials)


def test_a_series_divided_by_itself_is_100_and_the_sum_is_the_share() -> None:
    bad = replace(HEALTHY, failing=0.25)
    own, own_bad, share, share_bad = answers(
        (OWN, HEALTHY), (OWN, bad), (SHARE, HEALTHY), (SHARE, bad)
    )
    assert set(own.values) == set(own_bad.values) == {100.0}
    assert math.isclose(share.values[0], 100 * HEALTHY.failing, rel_tol=1e-6)
    assert math.isclose(share_bad.values[0], 25, rel_tol=1e-6)


def test_a_quantile_that_is_not_summed_is_one_for_each_series() -> None:
    apart, together = answers(
        ("histogram_quantile(0.95, rate(x_seconds_bucket[5m]))", HEALTHY),
        ("histogram_quantile(0.95, sum by (le) (rate(x_seconds_bucket[5m])))", HEALTHY),
    )
    assert (len(apart.values), len(together.values)) == (2, 1)


def test_a_container_without_a_limit_is_infinite_unless_zeros_are_left_out() -> None:
    unlimited = replace(HEALTHY, limited=False)
    plain, filtered = answers(
        (MEMORY, unlimited), (MEMORY.replace(" / ", " / (") + " > 0)", unlimited)
    )
    assert math.inf in plain.values
    assert filtered.values == (HEALTHY.usage,)


def test_a_ready_pod_has_two_series_that_are_0() -> None:
    without, named = answers(
        ("kube_pod_status_ready == 0", HEALTHY),
        ('kube_pod_status_ready{condition="true"} == 0', HEALTHY),
    )
    assert len(without.values) == 2 * 2  # two pods
    assert named == Answer((), ())


def test_what_the_engine_refuses_is_told_and_spoils_no_other_answer() -> None:
    sound = ExpressionTrial("sum(x_total)", (("x_total", "1x90"),))
    refused = ExpressionTrial("sum(x_total", ())
    nan = ExpressionTrial("vector(0) / 0", ())
    first, second, third = EVALUATE([refused, sound, nan])
    assert "parse error" in first.error
    assert second.values == (1.0,)
    assert math.isnan(third.values[0])


def test_series_that_cannot_be_made_up_are_not_judged() -> None:
    assert system_series(parse("some_gauge > 3"), HEALTHY) is None
    assert system_series(parse('x_requests_total{path=~"/a.*",status="500"}'), HEALTHY) is None
