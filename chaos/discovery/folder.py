"""The folder of a system, written from what was found. Text in, text out; nothing is looked at."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.discovery.call import Call
from chaos.discovery.metrics import KUBERNETES, FoundMetrics
from chaos.discovery.recorded_secrets import MARKER
from chaos.discovery.workload import FoundWorkload
from slo.system.model import Target
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
    ca_file: str | None = None  # by which authorities the service's certificate is checked
    loaded: bool = True  # false where nobody sends requests to it


def files(found: Findings) -> dict[str, str]:
    """The text of each file by its path in the folder."""
    written = {
        "system.yaml": _system(found),
        "plans/smoke.yaml": _plan(found),
    }
    if found.loaded:
        written["scenarios/smoke.yaml"] = _scenario()
    if found.loaded and found.locustfile is None:
        written["locustfile.py"] = _locustfile(found)
    if found.runbook is None:
        written["runbook.md"] = _runbook(found)
    return written


def _system(found: Findings) -> str:
    target = found.workload.target
    lines = [
        "# Written by gameday init from what it found; docs/system.md has all that can stand here.",
        f"name: {target.workload}",
        *_target(target),
    ]
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
    if found.loaded:
        lines += ["load:", "  scenario: smoke"]
    elif found.metrics is not None:
        lines += _example(found.metrics)
    if found.locustfile is not None:
        lines.append(f"  locustfile: {json.dumps(found.locustfile)}")
    if found.ca_file is not None:
        lines.append(f"  ca_file: {json.dumps(found.ca_file)}")
    if found.runbook is not None:
        lines.append(f"runbook: {json.dumps(found.runbook)}")
    if found.parts:
        lines.append("parts:  # what the runbook means by these names: docs/system.md")
    for part in found.parts:
        fields = ", ".join(f"{k}: {_plain(v)}" for k, v in part.items())
        lines.append(f"  - {{{fields}}}")
    return "\n".join(lines) + "\n"


def _target(target: Target) -> list[str]:
    lines = [
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
    return lines


def _example(metrics: FoundMetrics) -> list[str]:
    """An indicator of a workload without load, and what others could be made of."""
    lines = [
        "indicators:",
        "  pods_up:  # an example: what is this workload's work measured by?",
        "    titles: [Pods Up]",
        "    unit: ratio",
        "    better: higher",
        "    value: avg(avg_over_time(up{{selector}}[{window}]))",
        "    samples: up{{selector}}",
    ]
    if metrics.counters:
        lines.append("  # Its pods export these counters, for 'total' with 'errors' or 'good':")
        lines += [f"  #   {name}" for name in metrics.counters]
    return lines


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
    load = "load: {scenario: smoke}\n" if found.loaded else ""
    return f"""\
# One pod is killed{" while users are at work" if found.loaded else ""}.
name: smoke
{load}{guard}experiments:
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
    if not found.loaded:
        rows = [("Pods Up", "> 90 %", "< 50 %")]
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
    secrets = sorted({n for c in (*found.calls, *found.writes) for n in used(c)})
    parts = [
        '"""The users of the service, as gameday init found them. Change what you like."""\n',
        _imports(os=bool(secrets), random=bool(lists)),
        "from locust import FastHttpUser, task\n",
        _hidden(secrets),
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


def _imports(*, os: bool, random: bool) -> str:
    lines = ["import os"] if os else []
    lines += ["import random"] if random else []
    lines += ["from urllib.parse import quote"] if os else []
    return "\n".join(lines) + "\n" if lines else ""


def used(call: Call) -> set[str]:
    """The variables of the secrets that the request needs."""
    text = json.dumps([call.example, dict(call.headers), call.body])
    return set(MARKER.findall(text)) & set(call.secrets)


def _hidden(secrets: Sequence[str]) -> str:
    if not secrets:
        return ""
    said = "# Secrets of the recording, which are written nowhere: set these before a run.\n"
    return "\n" + said + "".join(f'{name} = os.environ["{name}"]\n' for name in secrets)


def _code(value: Any, call: Call, *, in_path: bool = False) -> str:
    """The value as Python, with the names of what was hidden in its texts."""
    if isinstance(value, dict):
        each = (f"{k!r}: {_code(v, call)}" for k, v in value.items())
        return "{" + ", ".join(each) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_code(v, call) for v in value) + "]"
    if not isinstance(value, str):
        return repr(value)
    pieces, at = [], 0
    for marker in MARKER.finditer(value):
        if marker[1] not in call.secrets:
            continue
        if marker.start() > at:
            pieces.append(json.dumps(value[at : marker.start()]))
        pieces.append(f'quote({marker[1]}, safe="")' if in_path else marker[1])
        at = marker.end()
    if at < len(value) or not pieces:
        pieces.append(json.dumps(value[at:]))
    return " + ".join(pieces)


def _task(call: Call, name: str, lists: set[str]) -> str:
    where, named = _code(call.example, call, in_path=True), ""
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
    headers = f", headers={_code(dict(call.headers), call)}" if call.headers else ""
    body = headers + ("" if call.body is None else f", json={_code(call.body, call)}")
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
