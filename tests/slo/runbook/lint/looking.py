"""A runbook's text under the lint, with whatever evidence a test gives."""

from collections.abc import Callable
from pathlib import Path

from slo.observe.promtool import promtool_evaluator
from slo.runbook.lint import RULES, Context, Result, Rule, check
from slo.runbook.lint.expressions import expressions
from slo.runbook.lint.kubectl import Kubectl
from slo.runbook.lint.objects import Objects, read_manifests
from slo.runbook.lint.versions import NEWEST, Versions
from slo.runbook.reader import survey
from tests.parts import promtool

KUBECTL = Kubectl.packaged()


def look(
    text: str,
    *,
    rules: tuple[Rule, ...] = RULES,
    objects: Objects | None = None,
    metrics: frozenset[str] | None = None,
    exists: Callable[[str], bool] | None = lambda _: False,
    scrape_interval_s: float | None = None,
    versions: Versions = NEWEST,
) -> Result:
    """All findings in the text, as `gameday runbook check` has them."""
    book = survey(text, "r.md")
    context = Context(
        runbook=book,
        expressions=expressions(book),
        kubectl=KUBECTL,
        objects=objects,
        metrics=metrics,
        evaluator=promtool_evaluator(promtool()),
        exists=exists,
        scrape_interval_s=scrape_interval_s,
        versions=versions,
    )
    return check(context, rules)


def manifests(text: str, folder: Path) -> Objects:
    (folder / "all.yaml").write_text(text, encoding="utf-8")
    return read_manifests(folder)
