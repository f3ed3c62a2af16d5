"""From what a person writes to PromQL, for objectives of a runbook."""

from itertools import product

import pytest
from promql_parser import parse
from ruamel.yaml import YAML

from slo.indicators.slis import Indicators, Place, Sli, fill, sli, yaml_for
from slo.model import Comparison, Objective, Source, Unit
from slo.system.indicators import IndicatorSpec
from slo.system.model import System, Target
from slo.system.presets import preset, presets

PLACE = Place(
    namespace="shop",
    workload="checkout",
    kind="Deployment",
    pods="checkout-[a-z0-9]+-[a-z0-9]+",
    selector='namespace="{namespace}"',
)


def objective(
    name: str, title: str = "", unit: Unit = Unit.RATIO, way: Comparison = Comparison.BELOW
) -> Objective:
    return Objective(
        name=name,
        title=title or name,
        comparison=way,
        target=0.9,
        critical=0.95,
        unit=unit,
        source=Source("runbook.md", 1, ""),
    )


def filled(found: Sli, place: Place = PLACE) -> list[str]:
    exprs = (found.value, found.count, found.scrapes, found.buckets, found.slack, found.resets)
    return [fill(e, place, window_s=20, step_s=2) for e in exprs if e]


def indicators(**specs: IndicatorSpec) -> Indicators:
    return Indicators(specs=specs)


SUCCESS = IndicatorSpec.model_validate({"total": "paid_total", "good": 'paid_total{ok="1"}'})


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
@pytest.mark.parametrize("selector", ['namespace="{namespace}"', 'job="shop",zone="a"', ""])
def test_every_expression_of_a_preset_is_promql_without_placeholders(
    name: str, kind: str, selector: str
) -> None:
    target = Target.model_validate({"namespace": "shop", "workload": "checkout", "kind": kind})
    place = Place(
        namespace="shop", workload="checkout", kind=kind, pods=target.pods, selector=selector
    )
    for key, spec in preset(name).indicators.items():
        found = sli(key, spec, spec.quantile or 0.95)
        assert isinstance(found, Sli)
        for expr in filled(found, place):
            parse(expr)
            assert "{namespace}" not in expr
            assert "{selector}" not in expr


def test_an_indicator_is_found_by_its_name_its_titles_and_its_quantile() -> None:
    spec = SUCCESS.model_copy(update={"titles": ("Paid Orders",)})
    latency = IndicatorSpec.model_validate({"histogram": "checkout_seconds"})
    known = indicators(paid=spec, response_time=latency)
    up = Comparison.ABOVE
    assert isinstance(known.find(objective("paid", way=up)), Sli)
    assert isinstance(known.find(objective("paid_orders", "Paid orders", way=up)), Sli)
    found = known.find(objective("response_time_p99", unit=Unit.SECONDS))
    assert isinstance(found, Sli)
    assert found.value.startswith("histogram_quantile(0.99, ")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (objective("unheard_of", "Unheard of"), "no indicator measures Unheard of"),
        (objective("paid", unit=Unit.SECONDS), "is in ratio, the runbook's threshold in s"),
        (objective("paid"), "is good when it is high, the runbook's target says the opposite"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(wanted: Objective, said: str) -> None:
    found = indicators(paid=SUCCESS).find(wanted)
    assert isinstance(found, str)
    assert said in found


@pytest.mark.parametrize(
    ("unit", "way"),
    # A time that is better when it is long is nothing that a histogram measures.
    [p for p in product(Unit, Comparison) if p != (Unit.SECONDS, Comparison.ABOVE)],
)
def test_the_yaml_that_is_proposed_measures_the_objective_once_it_is_filled_in(
    unit: Unit, way: Comparison
) -> None:
    wanted = objective("queue_depth", unit=unit, way=way)
    text = yaml_for(wanted).replace("METRIC", "depth").replace("PROMQL", "sum(depth)")
    system = System.model_validate(
        {
            "name": "shop",
            "target": {"namespace": "shop", "workload": "checkout"},
            **YAML(typ="safe", pure=True).load(text),
        }
    )
    assert isinstance(Indicators.of_system(system).find(wanted), Sli)


def test_counters_of_several_metrics_are_added_up_and_not_merged() -> None:
    spec = IndicatorSpec.model_validate({"total": ["a_total", "b_total"], "errors": "e_total"})
    found = sli("error_rate", spec)
    assert isinstance(found, Sli)
    assert found.count == (
        'sum(label_replace(increase(a_total[{window}]), "gameday_selector", "0", "", "") or'
        ' label_replace(increase(b_total[{window}]), "gameday_selector", "1", "", ""))'
    )


def test_milliseconds_become_seconds() -> None:
    spec = IndicatorSpec.model_validate({"histogram": "took_milliseconds", "scale": 0.001})
    found = sli("response_time_p95", spec, 0.95)
    assert isinstance(found, Sli)
    assert found.value.endswith(" * 0.001")
    assert found.scale == 0.001
