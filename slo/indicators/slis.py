"""Service level indicators of a system: what Prometheus is asked for each promise of a runbook.

Every PromQL expression is evaluated as an instant query at the end of a window, with the window's
length as its range. `fill` puts values in the place of the placeholders (slo.system.indicators has
them). What to know of the expressions:

- increase() and rate() extrapolate to the window's edges, by up to half a scrape interval (or, for
  series that cover the window, up to 1.1 intervals) on each side; with 2 s scrapes and a window of
  20 s that is an error of up to a tenth in a count. In a ratio of two increases it cancels nearly.
- A counter that is born within the window has lost what it counted before its first scrape, and one
  that dies what it counted after its last: while pods are replaced the server sees less than its
  clients do. That is why the client's view decides where there is one.
- histogram_quantile() interpolates within a bucket: the error is up to the bucket's width, and
  nothing is larger than the highest finite bound. So the buckets are kept beside the value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

from slo.model import Comparison, Objective, Unit
from slo.system.folder import specs
from slo.system.indicators import IndicatorSpec
from slo.system.model import System
from slo.system.presets import preset

NATIVE_ERROR = 0.05
"""A native histogram's buckets grow by less than a tenth: half of that is its quantiles' error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli:
    """An indicator as Prometheus answers it.

    `value` gives one number, or nothing where there is no answer. `count` is how many observations
    are behind the value, and `scrapes` how often, at best, its series was scraped in the window
    ("": not known). `fresh` is at how many moments, a scrape interval apart, its last sample was
    younger than two intervals: scrapes that come more often than was said hide no gap from it.
    `sampled_every_s` is how far apart the samples are that the exporter takes at its own pace,
    however often it is scraped; 0 for one that is read at each scrape.
    `empty` says what it means when scrapes are there and the value is not. How sure the value is
    comes from one of three: `buckets`, the histogram behind a `quantile`, its bounds times `scale`
    in seconds; `share`, a part of `count` observations; or `slack`, by how much a reading may be
    off. `resets` is how often a counter behind it began anew, which increase() and rate() handle.
    `user_facing` indicators are what users notice themselves; severity depends on it.
    """

    name: str
    unit: Unit
    definition: str
    user_facing: bool
    better: Comparison
    value: str
    count: str
    scrapes: str
    fresh: str
    series: str  # the metric to name when nothing exports it
    empty: str
    quantile: float | None = None
    buckets: str = ""
    scale: float = 1.0
    share: bool = False
    slack: str = ""
    highest: float = inf  # what a reading cannot exceed
    sampled_every_s: float = 0.0
    resets: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """All indicators that a system has, to be asked for by a runbook's objectives."""

    specs: Mapping[str, IndicatorSpec]

    @classmethod
    def of_system(cls, system: System | None) -> "Indicators":
        """Those of Kubernetes where nobody says anything else."""
        return cls(specs=specs(system) if system else preset("kubernetes").indicators)

    def find(self, objective: Objective) -> Sli | str:
        """The indicator of an objective, or in one sentence why there is none.

        By name, or by a title that the indicator says it goes by. Unit and direction have to fit:
        another quantity of the same name would be judged by the wrong threshold.
        """
        plain = _plain(objective.name)
        name, quantile = _split(plain)
        spec = self.specs.get(plain) or self._titled(objective.title)
        if spec is None and quantile is not None:
            spec = self.specs.get(name)
            if spec is not None and (spec.histogram is None or spec.quantile is not None):
                spec = None
        if spec is None:
            return f"no indicator measures {objective.title}"
        if spec.measured_in is not objective.unit:
            return (
                f"the indicator of {objective.title} is in {spec.measured_in.value},"
                f" the runbook's threshold in {objective.unit.value}"
            )
        found = sli(objective.name, spec, spec.quantile or quantile)
        if isinstance(found, Sli) and found.better is not objective.comparison:
            way = "low" if found.better is Comparison.BELOW else "high"
            return (
                f"the indicator of {objective.title} is good when it is {way},"
                f" the runbook's target says the opposite"
            )
        return found

    def known(self, objectives: Iterable[Objective]) -> list[Sli]:
        """Of those objectives that have one."""
        return [found for o in objectives if isinstance(found := self.find(o), Sli)]

    def _titled(self, title: str) -> IndicatorSpec | None:
        wanted = _words(title)
        return next(
            (s for s in self.specs.values() if wanted in {_words(t) for t in s.titles}), None
        )


def _plain(name: str) -> str:
    """As an indicator is called: "search_api_error_rate" for "search-api/error_rate"."""
    return name.replace("/", "_").replace("-", "_")


def yaml_for(objective: Objective) -> str:
    """What to write into system.yaml so that the objective is measured; an example to be filled."""
    name = _plain(objective.name)
    if objective.unit is Unit.RATIO:
        part = "errors" if objective.comparison is Comparison.BELOW else "good"
        return f"indicators: {{{name}: {{total: METRIC, {part}: METRIC}}}}"
    if objective.unit is Unit.SECONDS:
        return f"indicators: {{{name}: {{histogram: METRIC, quantile: 0.95}}}}"
    better = "lower" if objective.comparison is Comparison.BELOW else "higher"
    unit = objective.unit.value
    return f"indicators: {{{name}: {{value: PROMQL, unit: {unit}, better: {better}}}}}"


def _split(name: str) -> tuple[str, float | None]:
    """ "response_time_p95" as ("response_time", 0.95); no quantile where there is none."""
    match = re.fullmatch(r"(.+)_p(\d+(?:\.\d+)?)", name)
    if match and 0 < float(match[2]) < 100:  # noqa: PLR2004 - percent
        return match[1], float(match[2]) / 100
    return name, None


def _words(title: str) -> str:
    return " ".join(re.findall(r"\w+", title.casefold()))


def sli(name: str, spec: IndicatorSpec, quantile: float | None = None) -> Sli | str:
    """The PromQL of an indicator, or why it has none."""
    if spec.total is not None:
        return _share(name, spec, spec.total)
    if spec.histogram is not None:
        if quantile is None:
            return f"the indicator {name} is a histogram, and nobody says which quantile"
        return _quantile(name, spec, spec.histogram, quantile)
    return _value(name, spec)


def _share(name: str, spec: IndicatorSpec, total: tuple[str, ...]) -> Sli:
    counted = spec.errors or spec.good or ()
    all_of = _sum("increase", total)
    # Without any error there is no series of them: that is 0, but only where there is traffic.
    share = f"({_sum('increase', counted)} or 0 * {all_of}) / ({all_of} > 0)"
    high = spec.good is not None or spec.better == "higher"
    if high and spec.good is None:
        share = f"1 - {share}"
    return Sli(
        name=name,
        unit=Unit.RATIO,
        definition=spec.definition or f"share of {_metrics(counted)} in {_metrics(total)}",
        user_facing=spec.user_facing,
        better=Comparison.ABOVE if high else Comparison.BELOW,
        value=share,
        count=all_of,
        share=True,
        resets=_sum("resets", total),
        scrapes=_scrapes(total),
        fresh=_fresh(total),
        series=_metrics(total),
        empty=spec.empty or "no traffic in the window",
        highest=1.0,
    )


def _quantile(name: str, spec: IndicatorSpec, base: tuple[str, ...], quantile: float) -> Sli:
    times = f" * {spec.scale:g}" if spec.scale != 1 else ""
    if spec.native:
        increases = f"sum({_each('increase', base)})"
        value = f"histogram_quantile({quantile:g}, {increases}){times}"
        count, counted = f"histogram_count({increases})", base
        buckets, slack = "", f"({value}) * {NATIVE_ERROR:g}"
    else:
        counted = tuple(_with_suffix(s, "_count") for s in base)
        series = tuple(_with_suffix(s, "_bucket") for s in base)
        buckets = f"sum by (le) ({_each('increase', series)})"
        value = f"histogram_quantile({quantile:g}, {buckets}){times}"
        count, slack = _sum("increase", counted), ""
    return Sli(
        name=name,
        unit=Unit.SECONDS,
        definition=spec.definition or f"{quantile:.4g} quantile of {_metrics(base)}",
        user_facing=spec.user_facing,
        better=Comparison.BELOW,
        value=value,
        quantile=quantile,
        buckets=buckets,
        scale=spec.scale,
        slack=slack,
        resets=_sum("resets", counted),
        count=count,
        scrapes=_scrapes(counted),
        fresh=_fresh(counted),
        series=_metrics(counted if spec.native else base),
        empty=spec.empty or "no traffic in the window",
    )


def _value(name: str, spec: IndicatorSpec) -> Sli:
    assert spec.value is not None
    samples = spec.samples or ()
    return Sli(
        name=name,
        unit=spec.measured_in,
        definition=spec.definition or f"the value of {spec.value}",
        user_facing=spec.user_facing,
        better=Comparison.ABOVE if spec.better == "higher" else Comparison.BELOW,
        value=spec.value,
        count=spec.count or (f"sum({_each('count_over_time', samples)})" if samples else ""),
        scrapes=_scrapes(samples) if samples else "",
        fresh=_fresh(samples) if samples else "",
        series=_metrics(samples),
        empty=spec.empty or "the expression gave no value",
        slack=(spec.slack or "").replace("{value}", spec.value),
        highest=inf if spec.highest is None else spec.highest,
        sampled_every_s=spec.sampled_every.total_seconds() if spec.sampled_every else 0.0,
    )


def _each(function: str, selectors: tuple[str, ...]) -> str:
    """The function over each selector's series, as one vector."""
    return _together([f"{function}({s}[{{window}}])" for s in selectors])


def _together(calls: list[str]) -> str:
    """The vectors of all calls as one."""
    if len(calls) == 1:
        return calls[0]
    # Functions drop a series' name, and `or` drops what then has the same labels.
    return " or ".join(
        f'label_replace({call}, "gameday_selector", "{number}", "", "")'
        for number, call in enumerate(calls)
    )


def _sum(function: str, selectors: tuple[str, ...]) -> str:
    return f"sum({_each(function, selectors)})"


def _scrapes(selectors: tuple[str, ...]) -> str:
    return f"max({_each('count_over_time', selectors)})"


def _fresh(selectors: tuple[str, ...]) -> str:
    ages = [f"(time() - timestamp({s}) < 2 * {{step_s}})" for s in selectors]
    return f"max({_together([f'count_over_time({age}[{{window}}:{{step}}])' for age in ages])})"


def _with_suffix(selector: str, suffix: str) -> str:
    name, brace, labels = selector.partition("{")
    return name.strip() + suffix + brace + labels


def _metrics(selectors: tuple[str, ...]) -> str:
    return " or ".join(dict.fromkeys(s.partition("{")[0].strip() or s for s in selectors))


PROMETHEUS_SCRAPES = "max(count_over_time(up[{window}]))"
"""How often, at best, Prometheus scraped anything at all in the window, in vain or not."""

_KINDS = {
    "Deployment": (
        "kube_deployment_status_replicas_available",
        "kube_deployment_spec_replicas",
        "deployment",
    ),
    "StatefulSet": (
        "kube_statefulset_status_replicas_available",
        "kube_statefulset_replicas",
        "statefulset",
    ),
    "DaemonSet": (
        "kube_daemonset_status_number_available",
        "kube_daemonset_status_desired_number_scheduled",
        "daemonset",
    ),
}
AVAILABLE_SHARE = "min(clamp_max({available} / ({desired} > 0), 1))"
"""Available pods as share of the desired ones, at one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What placeholders stand for: a workload, and which series are this system's.

    `pods` is a regular expression of its pods' names.
    """

    namespace: str
    workload: str
    kind: str
    pods: str
    selector: str


def fill(expr: str, place: Place, *, window_s: float, step_s: float) -> str:
    """The expression with its placeholders replaced; durations in whole milliseconds.

    Names stay within the quotes that stand around them.
    """
    available, desired, label = _KINDS.get(place.kind, _KINDS["Deployment"])
    one = '{namespace="{namespace}",' + label + '="{workload}"}'
    values = {
        "{available}": available + one,
        "{desired}": desired + one,
        **({} if place.selector else {"{selector},": ""}),
        "{selector}": place.selector,
        "{namespace}": _within_quotes(place.namespace),
        "{workload}": _within_quotes(place.workload),
        "{pods}": _within_quotes(place.pods),
        "{window}": f"{round(window_s * 1000)}ms",
        "{step}": f"{round(step_s * 1000)}ms",
        "{window_s}": f"{window_s:g}",
        "{step_s}": f"{step_s:g}",
    }
    for placeholder, value in values.items():
        expr = expr.replace(placeholder, value)
    return expr


def _within_quotes(text: str) -> str:
    """Escapes that PromQL reads alike in strings of single and of double quotes."""
    return re.sub(r"[\"'`\\\n]", lambda found: f"\\x{ord(found[0]):02x}", text)
