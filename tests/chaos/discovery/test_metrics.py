"""Whose series they are: a namesake's in another namespace are never taken for ours."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from chaos.discovery.metrics import find_metrics
from slo.observe.prometheus import Value
from slo.system.model import Target

TARGET = Target(namespace="shop", workload="checkout", service="checkout")
FASTAPI = {
    "http_requests_total",
    "http_request_duration_highr_seconds_bucket",
}


class Canned:
    """Answers as a Prometheus with these series would."""

    def __init__(self, names: set[str], groups: list[Mapping[str, str]]) -> None:
        self._names, self._groups = names, groups

    def names(self) -> frozenset[str]:
        return frozenset(self._names)

    def instant(self, expr: str, time: datetime) -> list[Value]:
        del time
        return [Value(g, 1.0) for g in self._groups] if expr.startswith("count by") else []


def found(names: set[str], *groups: Mapping[str, str]) -> Any:
    return find_metrics(Canned(names, list(groups)), TARGET)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("groups", "selector"),
    [
        ([{"namespace": "shop"}, {"namespace": "other"}], 'namespace="{namespace}"'),
        ([{"kubernetes_namespace": "shop"}], 'kubernetes_namespace="{namespace}"'),
        (
            [{"namespace": "shop", "job": "checkout"}, {"namespace": "shop", "job": "stock"}],
            'namespace="{namespace}",job="checkout"',
        ),
        ([{"job": "checkout"}, {"job": "stock"}], 'job="checkout"'),
        ([{"job": "web"}], ""),
    ],
)
def test_labels_single_the_systems_series_out(
    groups: list[Mapping[str, str]], selector: str
) -> None:
    told = found(FASTAPI, *groups)
    assert told.presets == ("fastapi-instrumentator",)
    assert told.selector == selector


@pytest.mark.parametrize(
    "groups",
    [
        [{"namespace": "other", "app": "checkout"}],
        [{"namespace": "other", "job": "checkout"}, {"namespace": "third"}],
        [{"job": "one"}, {"job": "two"}],
        [],
    ],
)
def test_what_may_be_another_systems_is_left_out(groups: list[Mapping[str, str]]) -> None:
    told = found(FASTAPI, *groups)
    assert told.presets == ()
    assert any("nothing that looks like checkout" in line for line in told.said)


def test_kubernetes_own_metrics_are_a_preset_of_their_own() -> None:
    told = found({"kube_pod_info", *FASTAPI}, {"namespace": "shop"})
    assert told.presets == ("kubernetes", "fastapi-instrumentator")
