"""What a scenario owes: the moments at which requests are due, and which of them have no row.

The schedule follows from the scenario and the seed alone, so that whoever outlives the generator
can say what it still owed when it died.
"""

from collections.abc import Collection, Iterator
from itertools import takewhile

from loadtests.arrivals import arrivals
from loadtests.scenario import Scenario

NO_REQUEST = "(not sent)"  # the endpoint of a request that no user came to make


def due_times(scenario: Scenario, seed: int, begun: float) -> Iterator[float]:
    """Seconds since the epoch, ascending, for a load that began at `begun`."""
    stages = [stage.stage() for stage in scenario.stages]
    return (begun + offset for offset in arrivals(stages, scenario.arrivals, seed))


def written(due: float) -> str:
    """As it stands in the samples: to a microsecond."""
    return f"{due:.6f}"


def owed(
    scenario: Scenario, seed: int, *, begun: float, until: float, recorded: Collection[str]
) -> Iterator[float]:
    """What was due by `until` and is not among the `recorded` (see `written`)."""
    due = takewhile(lambda d: d <= until, due_times(scenario, seed, begun))
    return (d for d in due if written(d) not in recorded)
