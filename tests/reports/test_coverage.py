"""The runbook line by line: every promise has its answer, and what was not tried is no proof."""

from html.parser import HTMLParser

from reports.coverage import NOT_TRIED, promises, render, share_proven
from slo.runbook.reader import survey
from slo.verdict.proofs import ProofOutcome
from tests.reports.test_proofs import procedure, proofs

TEXT = """\
# Shop & <b>Co</b>

| Metric | Target | Critical Threshold |
|---|---|---|
| Error Rate | < 0.1% | > 1% |

## Neo4j Recovery

```bash
kubectl scale statefulset neo4j --replicas=0
kubectl get pods
```

## Other procedure

```bash
kubectl get pods
```
"""


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.bold = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.add(str(found["id"]))
        if tag == "a":
            self.links.add(str(found["href"]).removeprefix("#"))


def test_every_promise_is_marked_and_the_share_counts_all_of_them() -> None:
    book = survey(TEXT, "runbook.md")
    marks = promises(book, proofs(procedure(ProofOutcome.PROVEN, line=None)))
    assert [(m.line, m.state) for m in marks] == [
        (5, NOT_TRIED),
        (7, "proven"),
        (14, NOT_TRIED),
    ]
    assert share_proven(marks) == 1 / 3
    assert share_proven(()) is None


def test_the_page_shows_each_line_as_it_is_and_its_links_lead_somewhere() -> None:
    book = survey(TEXT, "runbook.md")
    told = proofs(procedure(ProofOutcome.REFUTED))
    page = render(book, told)
    assert page == render(book, told)
    reader = Reader()
    reader.feed(page)
    assert {f"L{n}" for n in range(1, 19)} <= reader.ids
    assert reader.links
    assert reader.links <= reader.ids
    assert "# Shop &amp; &lt;b&gt;Co&lt;/b&gt;" in page
    assert "<script" not in page
    assert "0 % proven" in page
