"""The parts of the timeline: what was done, latency, errors, throughput. Each draws on its axes.

Times on the x axis are seconds since the run's start.
"""

import math
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from matplotlib.transforms import IdentityTransform, ScaledTranslation

from reports import format as fmt
from reports.series import Series
from reports.svg import INK
from slo.model import Comparison, Objective, PhaseKind, Unit, Verdict, View

# The usual moments in their order, each with a shape of its own; others get a stroke.
MARKERS = {"injected": "v", "confirmed": "D", "reverted": "s", "recovered": "o"}
_SHADE = {PhaseKind.FAULT: 0.2, PhaseKind.RECOVERY: 0.1}
_DASHED = (0, (5, 2.5))
_FINE = (0, (4, 1.5))


def since(verdict: Verdict, moment: datetime) -> float:
    """Seconds from the run's start."""
    return (moment - verdict.started).total_seconds()


def rows(verdict: Verdict) -> list[str]:
    """The kinds of marks that occur, the usual ones first, then the others as they come."""
    seen = dict.fromkeys(m.label for m in verdict.marks)
    return [n for n in MARKERS if n in seen] + [n for n in seen if n not in MARKERS]


def strip(axes: Axes, verdict: Verdict) -> None:
    """Each experiment's phases as a bar with its number, then a row for each kind of mark."""
    labels = rows(verdict)
    axes.set_ylim(len(labels) + 0.5, -0.5)
    axes.set_yticks(range(len(labels) + 1), ["experiment", *(fmt.clean(n)[:16] for n in labels)])
    for number, experiment in enumerate(verdict.experiments, start=1):
        starts = [since(verdict, p.start) for p in experiment.phases]
        ends = [since(verdict, p.end) for p in experiment.phases]
        inks = [INK[p.kind.value] for p in experiment.phases]
        widths = [b - a for a, b in zip(starts, ends, strict=True)]
        axes.barh([0] * len(starts), widths, left=starts, height=0.82, color=inks, linewidth=0)
        for start, width, phase in zip(starts, widths, experiment.phases, strict=True):
            words = f"{number} {phase.kind.value}" if start == min(starts) else phase.kind.value
            _write_inside(axes, start, width, [words, str(number) if start == min(starts) else ""])
    for y, label in enumerate(labels, start=1):
        xs = [since(verdict, m.time) for m in verdict.marks if m.label == label]
        axes.axhline(y, color=INK["grid"], linewidth=0.6, zorder=0)
        axes.plot(
            *(xs, [y] * len(xs), MARKERS.get(label, "|")),
            color=INK["mark"],
            markersize=5.5,
            markeredgewidth=1.2,
        )


def _write_inside(axes: Axes, start: float, width: float, words: list[str]) -> None:
    """The first of the texts that fits into a bar that begins at `start`."""
    low, high = axes.get_xlim()
    room = width / (high - low) * axes.get_window_extent().width
    for text in words:
        if text and len(text) * 7 + 8 < room:
            axes.text(
                *(start, 0, text),
                va="center_baseline",
                fontsize="medium",
                color=INK["on-phase"],
                clip_on=True,
                transform=axes.transData + ScaledTranslation(5, 0, IdentityTransform()),
            )
            return


def shade(axes: Axes, verdict: Verdict) -> None:
    """Fault and recovery phases behind the curves, and when each fault came and was over."""
    for experiment in verdict.experiments:
        for phase in experiment.phases:
            if alpha := _SHADE.get(phase.kind):
                axes.axvspan(
                    *(since(verdict, phase.start), since(verdict, phase.end)),
                    color=INK[phase.kind.value],
                    alpha=alpha,
                    linewidth=0,
                    zorder=0,
                )
    for mark in verdict.marks:
        if mark.label in {"injected", "recovered"}:
            x = since(verdict, mark.time)
            axes.axvline(x, color=INK["mark"], linewidth=0.8, alpha=0.6, linestyle=(0, (2, 2)))


def latency(
    axes: Axes, verdict: Verdict, times: list[float], series: Series, *, inside: bool = False
) -> None:
    promise = _promise(verdict, Unit.SECONDS)
    thresholds = (promise.target, promise.critical) if promise else ()
    values = [v for v in (*series.p50_s, *series.p95_s, *thresholds) if v > 0]
    low, high = min(values, default=0.001) / 1.3, max(values, default=1.0) * 1.4
    axes.set_title("Latency (log scale)")
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.plot(times, _drawable(series.p50_s), color=INK["p50"], linewidth=1.2, linestyle=_FINE)
    axes.plot(times, _drawable(series.p95_s), color=INK["p95"], linewidth=1.6)
    axes.yaxis.set_major_locator(FixedLocator(_log_ticks(low, high)))
    axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: fmt.seconds(float(y))))
    axes.grid(axis="y")
    lines = [Line(_last(series.p95_s), "p95", "p95"), Line(_last(series.p50_s), "p50", "p50")]
    name_lines(axes, [*lines, *_thresholds(axes, promise)], inside=inside)
    axes.set_ylim(low, high)


def _drawable(latencies: tuple[float, ...]) -> list[float]:
    """A logarithm has no place for zero."""
    return [v if v > 0 else math.nan for v in latencies]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values, the fewer in a decade the more decades there are."""
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 1.7 else (1, 3) if decades < 2.7 else (1,)  # noqa: PLR2004
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in steps]


def errors(
    axes: Axes, verdict: Verdict, times: list[float], series: Series, *, inside: bool = False
) -> None:
    promise = _promise(verdict, Unit.RATIO)
    axes.set_title("Failed requests")
    axes.fill_between(
        [*times, times[-1] + series.step_s] if times else [],
        [*series.error_share, series.error_share[-1]] if times else [],
        step="post",
        color=INK["errors"],
        linewidth=0,
    )
    worst = max((s for s in series.error_share if not math.isnan(s)), default=0.0)
    axes.set_ylim(0, min(1.04, max(worst * 1.15, promise.critical * 1.6 if promise else 0.01)))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: fmt.percent(round(float(y), 9))))
    axes.grid(axis="y")
    name_lines(axes, _thresholds(axes, promise), inside=inside)


def throughput(axes: Axes, times: list[float], series: Series) -> None:
    axes.set_title("Requests per second")
    edges = [*times, times[-1] + series.step_s] if times else []
    rates = [*series.rate, series.rate[-1]] if times else []
    axes.fill_between(edges, rates, step="post", color=INK["rate"], alpha=0.3, linewidth=0)
    axes.step(edges, rates, where="post", color=INK["rate"], linewidth=1.2)
    axes.set_ylim(0, max(series.rate, default=0.0) * 1.2 or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y")


class Line(NamedTuple):
    """A line of a panel and how it is called at its right end."""

    y: float
    text: str
    ink: str


def _promise(verdict: Verdict, unit: Unit) -> Objective | None:
    """The objective that a panel's curve is about: what clients measure, the less the better."""
    return next(
        (
            r.objective
            for r in verdict.objectives
            if r.view is View.CLIENT
            and r.objective.unit is unit
            and r.objective.comparison is Comparison.BELOW
        ),
        None,
    )


def _thresholds(axes: Axes, promise: Objective | None) -> list[Line]:
    if promise is None:
        return []
    axes.axhline(promise.target, color=INK["target"], linewidth=1.1, linestyle=_DASHED)
    axes.axhline(promise.critical, color=INK["critical"], linewidth=1.1)
    return [
        Line(promise.target, f"target {fmt.quantity(promise.target, promise.unit)}", "target"),
        Line(
            promise.critical, f"critical {fmt.quantity(promise.critical, promise.unit)}", "critical"
        ),
    ]


def _last(values: tuple[float, ...]) -> float:
    return next((v for v in reversed(values) if not math.isnan(v)), math.nan)


def name_lines(axes: Axes, lines: list[Line], *, inside: bool = False) -> None:
    """Name each line at its right end, pushed apart until no name covers another."""
    to_axes = axes.transAxes.inverted()
    placed = sorted(
        (float(to_axes.transform(axes.transData.transform((0, line.y)))[1]), line)
        for line in lines
        if math.isfinite(line.y) and (line.y > 0 or axes.get_yscale() == "linear")
    )
    ys = [y for y, _ in placed]
    gap = 15 / axes.get_window_extent().height
    for _ in range(60):
        for i, j in pairwise(range(len(ys))):
            short = (gap - (ys[j] - ys[i])) / 2
            if short > 0:
                ys[i], ys[j] = ys[i] - short, ys[j] + short
    behind = {"facecolor": INK["raised"], "alpha": 0.8, "linewidth": 0, "pad": 1}
    for y, (_, line) in zip(ys, placed, strict=True):
        axes.annotate(
            line.text,
            (1, y),
            xycoords="axes fraction",
            xytext=(-2, 0) if inside else (7, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center_baseline",
            fontsize="medium",
            color=INK[line.ink],
            bbox=behind if inside else None,
            annotation_clip=False,
        )
