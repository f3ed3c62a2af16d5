"""What a run says while it goes on: a live line on a terminal, plain lines elsewhere."""

import time
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The last seconds of load, and where the run stands. Rate in requests/s, times in seconds."""

    step: str
    elapsed_s: float
    step_left_s: float
    requests: int
    errors: int
    rate: float
    error_rate: float  # ratio, over the last seconds
    p95_s: float | None
    pods: str  # "3/3"
    loaded: bool = True  # false where there is no load to tell of


class Progress(Protocol):
    """Where a run tells of itself."""

    def say(self, text: str) -> None:
        """Something happened that is worth a line for good."""

    def pulse(self, pulse: Pulse) -> None:
        """How things stand, about twice a second."""


class Quiet:
    """For machines: nothing."""

    def say(self, text: str) -> None:
        del text

    def pulse(self, pulse: Pulse) -> None:
        del pulse


_STYLES = {
    "aborted": "not dim red",
    "cannot be undone": "not dim red",
    "not whole again": "not dim red",
    "not steady": "not dim red",
    "fault refused": "not dim yellow",
    "effect not confirmed": "not dim yellow",
}
"""How a line looks, by how it begins. Its text is shown as it is: it has names of others."""


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any: "05:05", "1:05:05"."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


class Terminal:
    """Lines that stay, and on a real terminal one live line below them."""

    PLAIN_EVERY_S = 10.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last_plain = 0.0
        self._begun = time.monotonic()

    def _stamp(self) -> str:
        """Since this began: one clock for all lines, also those from before the load."""
        return clock(time.monotonic() - self._begun)

    def say(self, text: str) -> None:
        stamp = Text(f"{self._stamp()}  ", style="dim")
        style = next((s for begin, s in _STYLES.items() if text.startswith(begin)), "not dim")
        self._console.print(stamp.append(text, style=style), soft_wrap=True)

    def pulse(self, pulse: Pulse) -> None:
        if not self._console.is_terminal:
            if pulse.elapsed_s - self._last_plain >= self.PLAIN_EVERY_S:
                self._last_plain = pulse.elapsed_s
                line = f"{self._stamp()}  {_words(pulse)}"
                self._console.print(line, style="dim", soft_wrap=True)
            return
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(_panel(pulse, self._stamp()), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _words(pulse: Pulse) -> str:
    if not pulse.loaded:
        return f"{pulse.step}: {pulse.pods} pods ready"
    p95 = "no answer yet" if pulse.p95_s is None else f"p95 {pulse.p95_s * 1000:.0f} ms"
    return f"{pulse.step}: {pulse.rate:.0f} requests/s, {p95}, {pulse.error_rate:.1%} errors" + (
        f", {pulse.pods} pods ready" if pulse.pods else ""
    )


def _panel(pulse: Pulse, stamp: str) -> Table:
    row = Table.grid(padding=(0, 2))
    bad = "red" if pulse.error_rate > 0 else "green"
    p95 = "  –" if pulse.p95_s is None else f"{pulse.p95_s * 1000:.0f}"
    load: tuple[str | Text, ...] = (
        f"{pulse.rate:4.0f} req/s",
        f"p95 {p95:>4} ms",
        Text(f"{pulse.error_rate:6.1%} errors", style=bad),
    )
    if not pulse.loaded:
        load = ()
    row.add_row(
        Text(stamp, style="bold"),
        Text(pulse.step, style="cyan"),
        *load,
        f"{pulse.pods} pods" if pulse.pods else "",
        Text(f"{clock(pulse.step_left_s)} left" if pulse.step_left_s > 0 else "", style="dim"),
    )
    return row
