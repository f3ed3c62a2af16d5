"""The timeline: what was done and what the clients felt, above one another on one time axis."""

import math
from dataclasses import dataclass
from datetime import timedelta

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from reports import format as fmt
from reports import panels
from reports.series import resample
from reports.svg import INK, SETTINGS, embed
from slo.model import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Pixels of a drawing; `left` and `right` are the margins with the labels in them.

    `name` is the class of its box on the page, which shows the one that fits the screen: drawn at
    its own size or larger, so that no letter is smaller than `font`.
    """

    name: str
    width: int
    height: int
    left: int
    right: int
    ticks: int  # at most this many along the time axis
    points: int  # at most this many along a curve
    inside: bool = False  # names of lines stand inside the panel, for want of a margin
    font: float = 11.5


WIDE = Size(name="wide", width=900, height=540, left=98, right=104, ticks=9, points=480)
MEDIUM = Size(name="medium", width=600, height=520, left=98, right=104, ticks=5, points=240)
NARROW = Size(
    name="narrow", width=330, height=560, left=80, right=26, ticks=4, points=160, inside=True
)
SIZES = (WIDE, MEDIUM, NARROW)

_ROUND = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_SHARES = (0.46, 0.27, 0.27)  # latency, errors, throughput


def render(verdict: Verdict, size: Size) -> Markup:
    """The chart as an <svg> element that may stand in an HTML page, also beside another size.

    Neither the user's matplotlib settings nor the clock have a say in it.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        mpl.rcParams.update({"svg.hashsalt": f"gameday-{size.width}", "font.size": size.font})
        return embed(_draw(verdict, size), label=describe(verdict))


def describe(verdict: Verdict) -> str:
    """The chart in a sentence, for those who cannot see it."""
    line, faults = verdict.timeline, len(verdict.experiments)
    slowest = max((v for v in line.p95_s if v is not None), default=None)
    return (
        f"Timeline of {fmt.seconds((verdict.ended - verdict.started).total_seconds())} with the "
        f"phases of {faults} experiments: latency, failed requests, requests per second. "
        f"Worst p95 of a {fmt.seconds(line.step_s)} bucket: {fmt.some(slowest)}. "
        f"{fmt.count(sum(line.errors))} of {fmt.count(sum(line.requests))} requests failed."
    )


def _draw(verdict: Verdict, size: Size) -> Figure:
    figure = Figure(figsize=(size.width / 72, size.height / 72), dpi=72, facecolor="none")
    series = resample(verdict.timeline, size.points)
    offset = panels.since(verdict, verdict.timeline.start)
    times = [offset + t for t in series.time]
    span = _span(verdict, times, series.step_s)
    strip, latency, errors, throughput = _layout(figure, size, len(panels.rows(verdict)))
    for axes in (strip, latency, errors, throughput):
        _time_axis(axes, span, size)
    panels.strip(strip, verdict)
    panels.latency(latency, verdict, times, series, inside=size.inside)
    panels.errors(errors, verdict, times, series, inside=size.inside)
    panels.throughput(throughput, times, series)
    for axes in (latency, errors, throughput):
        panels.shade(axes, verdict)
        axes.set_xlim(span)
    strip.set_xlim(span)
    strip.spines["bottom"].set_visible(False)
    throughput.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _moment(verdict, float(x))))
    throughput.tick_params(axis="x", length=3)
    _name_time_axis(throughput, size)
    return figure


def _layout(figure: Figure, size: Size, marks: int) -> list[Axes]:
    """Four boxes from top to bottom, one row of the strip for each kind of mark."""
    top, bottom, gap, row = 6, 40, 32, 18
    first = row * (marks + 1)
    rest = size.height - top - bottom - first - 3 * gap
    width = size.width - size.left - size.right
    boxes, y = [], float(size.height - top)
    for height in (first, *(share * rest for share in _SHARES)):
        y -= height
        box = (size.left / size.width, y / size.height, width / size.width, height / size.height)
        boxes.append(figure.add_axes(box, facecolor="none"))
        y -= gap
    return boxes


def _span(verdict: Verdict, times: list[float], step: float) -> tuple[float, float]:
    moments = [m.time for m in verdict.marks]
    moments += [t for e in verdict.experiments for p in e.phases for t in (p.start, p.end)]
    known = [panels.since(verdict, m) for m in moments]
    known += [*times, times[-1] + step] if times else []
    low, high = min(known, default=0.0), max(known, default=1.0)
    return (low, high) if high > low else (low, low + 1)


def _time_axis(axes: Axes, span: tuple[float, float], size: Size) -> None:
    low, high = span
    step = next((s for s in _ROUND if (high - low) / s <= size.ticks), (high - low) / size.ticks)
    first, last = math.ceil(low / step), math.floor(high / step)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator([i * step for i in range(first, last + 1)]))
    axes.xaxis.set_major_formatter(NullFormatter())
    axes.tick_params(length=0, width=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _moment(verdict: Verdict, x: float) -> str:
    """Seconds from the start, below them the time of day in UTC."""
    return f"{x:,.0f} s\n{fmt.clock(verdict.started + timedelta(seconds=x))}"


def _name_time_axis(axes: Axes, size: Size) -> None:
    axes.annotate(
        "\nUTC" if size.inside else "since start\nUTC",
        (0, 0),
        xycoords="axes fraction",
        xytext=(-32, -6.5),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize="medium",
        color=INK["muted"],
    )


def bucket(verdict: Verdict, size: Size) -> str:
    """What a point of the drawing stands for, in words."""
    step = verdict.timeline.step_s
    drawn = resample(verdict.timeline, size.points).step_s
    if drawn == step:
        return f"covers {fmt.seconds(step)}"
    return (
        f"covers {fmt.seconds(drawn)} and shows the worst latency of its {fmt.seconds(step)} parts"
    )
