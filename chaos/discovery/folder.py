"""The folder of a system, written from what was found. Text in, text out; nothing is looked at."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chaos.discovery.call import Call
from chaos.discovery.metrics import KUBERNETES, FoundMetrics
from chaos.discovery.workload import FoundWorkload
from slo.system.prometheus import PrometheusAccess

RATE = 20.0
PHASE_S, SCRAPES = 20.0, 5
_STEPS = (1, 2, 5, 10)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 -]*[A-Za-z0-9]")
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`times` are of the service's answers, in seconds, ascending; `runbook` is there already.

    `parts` has the fields of each part that was seen.
    """

    workload: FoundWorkload
    access: PrometheusAccess | None
    metrics: FoundMetrics | None
    calls: Sequence[Call]
    left_out: Sequence[str]
    writes: Sequence[Call]
    times: Sequence[float]
    runbook: str | None
    locustfile: str | None
    parts: Sequence[Mapping[str, str]] = ()


def files(found: Findings) -> dict[str, str]:
    """The text of each file by its path in the folder."""
    written = {
        "system.yaml": _system(found),
        "scenarios/smoke.yaml": _scenario(),
        "plans/smoke.yaml": _plan(found),
    }
    if found.locustfile is None:
        written["locustfile.py"] = _locustfile(found)
    if found.runbook is None:
        written["runbook.md"] = _runbook(found)
    return written


def _system(found: Findings) -> str:
    target = found.workload.target
    lines = [
        "# Written by gameday init from what it found; docs/system.md has all that can stand here.",
        f"name: {target.workload}",
        "target:",
        f"  namespace: {target.namespace}",
        f"  workload: {target.workload}",
    ]
    if target.kind != "Deployment":
        lines.append(f"  kind: {target.kind}")
    if target.api_version is not None:
        lines.append(f"  api_version: {target.api_version}")
    if target.url is not None:
        lines.append(f"  url: {target.url}")
    elif target.service is not None:
        lines += [f"  service: {target.service}", f"  port: {target.port}"]
    if found.access is not None and found.metrics is not None:
        access = found.access
        lines.append("prometheus:")
        if access.url is not None:
            lines.append(f"  url: {access.url}")
        else:
            lines += [f"  service: {access.service}", f"  port: {access.port}"]
            if access.namespace not in (None, target.namespace):
                lines.append(f"  namespace: {access.namespace}")
        lines += [
            f"  scrape_interval: {found.metrics.scrape_interval.total_seconds():g}s",
            f"  selector: {json.dumps(found.metrics.selector)}",
            f"presets: [{', '.join(found.metrics.presets)}]",
        ]
    lines += ["load:", "  scenario: smoke"]
    if found.locustfile is not None:
        lines.append(f"  locustfile: {json.dumps(found.locustfile)}")
    if found.runbook is not None:
        lines.append(f"runbook: {json.dumps(found.runbook)}")
    if found.parts:
        lines.append("parts:  # what the runbook means by these names: docs/system.md")
    for part in found.parts:
        fields = ", ".join(f"{k}: {_plain(v)}" for k, v in part.items())
        lines.append(f"  - {{{fields}}}")
    return "\n".join(lines) + "\n"


def _plain(value: str) -> str:
    """A name as people write it in YAML; quoted where it could be read as something else."""
    return value if _NAME.fullmatch(value) and value not in _WORDS else json.dumps(value)


def _scenario() -> str:
    return f"""\
name: smoke
description: A steady trickle, for as long as the game day lasts.
stages:
  - {{from_rate: 5, to_rate: {RATE:g}, duration: 3s}}
  - {{rate: {RATE:g}}}
request_timeout: 5s
max_in_flight: 100
"""


def _plan(found: Findings) -> str:
    workload = found.workload
    interval = found.metrics.scrape_interval.total_seconds() if found.metrics else 0.0
    phase = max(PHASE_S, math.ceil(SCRAPES * interval))
    alone = workload.replicas < 2  # noqa: PLR2004 - then nothing serves while it comes back
    severity = "SEV1" if alone else "SEV3"
    labels = json.dumps(dict(workload.labels))
    guard = (
        f"guardrails:\n  all_pods_of: [{json.dumps(_words(workload))}]  # there is only one\n"
        if alone
        else ""
    )
    return f"""\
# One pod is killed while users are at work.
name: smoke
load: {{scenario: smoke}}
{guard}experiments:
  - name: pod-delete
    title: One pod of {workload.target.workload} is deleted without notice
    fault:
      kind: pod-kill
      how: delete
      select: {{labels: {labels}, count: 1}}
    baseline: {phase:g}s
    duration: {phase:g}s
    recovery: {1.5 * phase:g}s
    expect:
      severity: {severity}  # a guess: what may one pod's death cost users?
      recover_within: {phase:g}s
"""


def _words(workload: FoundWorkload) -> str:
    return ",".join(f"{k}={v}" for k, v in workload.labels.items())


def _runbook(found: Findings) -> str:
    p95 = found.times[math.ceil(0.95 * len(found.times)) - 1] if found.times else 0.0
    target = max(0.1, _round_up(10 * p95))
    rows = [
        ("Response Time (p95)", f"< {target * 1000:g} ms", f"> {5 * target * 1000:g} ms"),
        ("Error Rate", "< 1 %", "> 5 %"),
    ]
    if found.metrics is not None and KUBERNETES in found.metrics.presets:
        rows.append(("Pod Availability", "> 90 %", "< 50 %"))
    table = "\n".join(f"| {a} | {b} | {c} |" for a, b, c in rows)
    measured = f"p95 {p95 * 1000:.1f} ms over {len(found.times)} requests, one after the other"
    return f"""\
# {found.workload.target.workload}: operations runbook

The thresholds below are guesses. Decide them, and delete this sentence.

<!-- Measured when this was written: {measured if found.times else "nothing"}. -->

## Key metrics

| Metric | Target | Critical Threshold |
|---|---|---|
{table}
"""


def _round_up(seconds: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    if seconds <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(step * power for step in _STEPS if step * power >= seconds * 0.999)


def _locustfile(found: Findings) -> str:
    lists = {c.ids_from for c in found.calls if c.ids_from}
    parts = [
        '"""The users of the service, as gameday init found them. Change what you like."""\n',
        "import random\n" if lists else "",
        "from locust import FastHttpUser, task\n",
        _KNOWN if lists else "",
        "\nclass ServiceUser(FastHttpUser):",
    ]
    parts += [_task(call, name, lists) for name, call in _named((*found.calls, *found.writes))]
    # What a description says is data: here it may not end the comment that it stands in.
    parts += [f"    # left out: {json.dumps(why)[1:-1]}" for why in found.left_out]
    text = "\n".join(p for p in parts if p).rstrip() + "\n"
    return text.replace("\n\n\n\n", "\n\n\n").replace("task\n\n\nIDS", "task\n\nIDS")


_KNOWN = """
IDS: dict[str, list[object]] = {}  # of what lists have answered, by path


def remember(path: str, answer: object) -> None:
    rows = answer if isinstance(answer, list) else []
    found = [r["id"] for r in rows if isinstance(r, dict) and "id" in r]
    if found:
        IDS[path] = found

"""


def _named(calls: Sequence[Call]) -> Iterator[tuple[str, Call]]:
    """Each with a name of its own: of two methods with one name, Python keeps the last."""
    seen: Counter[str] = Counter()
    for call in calls:
        seen[call.name] += 1
        again = seen[call.name]
        yield call.name if again == 1 else f"{call.name}__{again}", call


def _task(call: Call, name: str, lists: set[str]) -> str:
    where, named = json.dumps(call.example), ""
    if call.path != call.example:
        named = f", name={json.dumps(call.path)}"
    lines = ["    @task", f"    def {name}(self) -> None:"]
    if call.ids_from:
        first = json.dumps(f"{call.path.rpartition('/')[0]}/")
        lines += [
            f"        known = IDS.get({json.dumps(call.ids_from)})",
            f"        path = {first} + str(random.choice(known)) if known else {where}",
        ]
        where = "path"
    body = "" if call.body is None else f", json={call.body!r}"
    asked = f"self.client.{call.method.casefold()}({where}{named}{body})"
    if call.path in lists and call.safe:
        lines += [
            f"        answer = {asked}",
            "        if answer.status_code == 200:",
            f"            remember({json.dumps(call.path)}, answer.json())",
        ]
    else:
        lines.append(f"        {asked}")
    return "\n".join(lines) + "\n"
