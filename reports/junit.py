"""junit.xml: the verdict as test cases, so that any CI system shows which promise was broken.

A failure is a promise that was broken, an error one that could not be judged; nothing is ever
skipped, because a skipped case is green. A warning passes and says so in its output. One more case
is the verdict itself, so that an aborted run is not green for want of a failing item.

Times: a suite takes as long as its experiment, a `recovery` case as long as the recovery did; the
other cases are judgements over the same window and count as 0 s, so that nothing counts twice.

What is no judgement, as the error budget, is a property of the suite of the whole run.
"""

import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from reports import budget, items
from reports import format as fmt
from reports.items import Item
from slo.model import ExperimentResult, Outcome, Verdict

_NOT_IN_A_NAME = re.compile(r"[^\w-]+")  # a dot, too, would start a new package


def render(verdict: Verdict) -> str:
    """The document: a suite for each experiment, the comparison, and the run as a whole."""
    root = JUnitXml(name=fmt.clean(f"gameday {verdict.plan}"))
    package = f"gameday.{_part(verdict.plan)}"
    experiments = {e.name: e for e in verdict.experiments}
    suites: list[tuple[TestSuite, float]] = []
    for name, title in items.titles(verdict).items():
        experiment = experiments.get(name)
        start, end = _window(experiment, verdict)
        judged = items.of_experiment(verdict, name, title)
        cases = _cases(judged, f"{package}.{_part(name)}", experiment)
        suites.append((_suite(title, start, cases), (end - start).total_seconds()))
    if verdict.comparison is not None:
        against = f"against {verdict.comparison.baseline}"
        cases = _cases(items.of_comparison(verdict), f"{package}.comparison", None)
        suites.append((_suite(against, verdict.started, cases), 0.0))
    judged = (
        _whole(verdict),
        *map(items.of_promise, verdict.promises),
        items.of_load(verdict.load),
    )
    whole = _cases(judged, f"{package}.run", None)
    run = _suite("run", verdict.started, whole)
    if verdict.budget is not None:
        run.add_property("error budget", budget.sentence(verdict.budget))
    suites.append((run, 0.0))
    for suite, _ in suites:
        root.append(suite)  # type: ignore[no-untyped-call]  # junitparser leaves some untyped
    root.update_statistics()  # type: ignore[no-untyped-call]
    for suite, seconds in suites:
        suite.time = round(seconds, 3)
    root.time = round((verdict.ended - verdict.started).total_seconds(), 3)
    out = io.BytesIO()
    root.write(out, pretty=True)
    return out.getvalue().decode()


def _whole(verdict: Verdict) -> Item:
    return Item(
        experiment="",
        name="verdict",
        detail="",
        outcome=verdict.outcome,
        expected="",
        observed=verdict.outcome.value,
        reason=verdict.headline,
    )


def _suite(name: str, start: datetime, cases: Iterable[TestCase]) -> TestSuite:
    suite = TestSuite(name=fmt.clean(name))
    suite.timestamp = f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"  # the schema knows no zone
    suite.add_testcases(list(cases))
    return suite


def _cases(
    judged: Iterable[Item], classname: str, experiment: ExperimentResult | None
) -> Iterable[TestCase]:
    """A case for each item; CI systems tell cases by class and name, so no name comes twice."""
    seen: dict[str, int] = {}
    for item in judged:
        name = fmt.clean(item.subject)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name} ({seen[name]})"
        yield _case(item, name, classname, _seconds(item, experiment))


def _case(item: Item, name: str, classname: str, seconds: float) -> TestCase:
    case = TestCase(name=name, classname=classname, time=round(seconds, 3))
    sentence = fmt.clean(item.sentence)
    match item.outcome:
        case Outcome.FAIL:
            case.result = _told(Failure(sentence, "fail"), sentence)
        case Outcome.INCONCLUSIVE:
            case.result = _told(Error(sentence, "inconclusive"), sentence)
        case Outcome.WARN:
            case.system_out = f"warn: {sentence}"
        case Outcome.PASS:
            pass
    return case


def _told(result: Failure | Error, sentence: str) -> Failure | Error:
    """With the sentence as text, too: GitLab shows the text and leaves the message out."""
    result.text = sentence
    return result


def _seconds(item: Item, experiment: ExperimentResult | None) -> float:
    if experiment is None or item.name != "recovery":
        return 0.0
    return experiment.time_to_recover_s or 0.0


def _window(experiment: ExperimentResult | None, verdict: Verdict) -> tuple[datetime, datetime]:
    phases = experiment.phases if experiment else ()
    starts, ends = [p.start for p in phases], [p.end for p in phases]
    return min(starts, default=verdict.started), max(ends, default=verdict.started)


def _part(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", fmt.clean(name)).strip("_") or "unnamed"
