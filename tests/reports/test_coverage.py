"""The runbook line by line: every promise has its answer, and what was not tried is no proof."""

import base64
import hashlib
import re
from dataclasses import replace

from reports.coverage import NOT_TRIED, promises, render, share_proven
from slo.runbook.reader import survey
from slo.verdict.proofs import ProofOutcome
from tests.reports.examples import NASTY
from tests.reports.pages import Page
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


def test_the_page_shows_the_text_as_it_is_read_and_its_links_lead_somewhere() -> None:
    book = survey(TEXT, "runbook.md")
    told = proofs(procedure(ProofOutcome.REFUTED))
    source = render(book, told)
    assert source == render(book, told)
    page = Page(source)
    ids = [str(a["id"]) for _, a in page.tags if "id" in a]
    links = {str(a["href"]).removeprefix("#") for a in page.named("a")}
    assert len(ids) == len(set(ids))
    assert {"L5", "L7", "L14"} <= links
    assert links <= set(ids)
    assert "<h2>Shop &amp; &lt;b&gt;Co&lt;/b&gt;</h2>" in re.sub(' id="h-[^"]*"', "", source)
    assert "<td>&lt; 0.1%</td>" in source
    assert "kubectl scale statefulset neo4j --replicas=0\nkubectl get pods" in source
    assert "0 % proven" in page.text


def test_each_state_stands_at_its_line_and_can_be_asked_for() -> None:
    book = survey(TEXT, "runbook.md")
    source = render(book, proofs(procedure(ProofOutcome.REFUTED)))
    found = re.findall(r'id="L(\d+)"><(?:a|span) class="badge (\w+)"', source)
    assert found == [("5", "untried"), ("7", "fail"), ("14", "untried")]
    assert {a["id"] for a in Page(source).named("input")} == {
        "show-all",
        "show-refuted",
        "show-not-tried",
    }
    # What a filter leaves on the page: the heading and all that stands above it.
    parts = re.findall(r'<div class="filtered([^"]*)">\s*<h\d id="h-([\w-]+)"', source)
    assert {anchor: "has-refuted" in states for states, anchor in parts} == {
        "shop--bcob": True,
        "neo4j-recovery": True,
        "other-procedure": False,
    }


def test_the_corrected_text_stands_beside_the_procedure() -> None:
    corrected = procedure(ProofOutcome.PROVEN, variant="with the pod kept", line=None)
    told = proofs(procedure(ProofOutcome.REFUTED, corrected=corrected))
    page = Page(render(survey(TEXT, "runbook.md"), told))
    assert "The corrected procedure: with the pod kept kubectl scale kubectl cp | x" in page.text


def test_nothing_in_a_runbook_becomes_a_tag_an_address_or_a_script() -> None:
    nasty = NASTY.replace("\ud800", "")  # no file can hold half a character
    text = f"""\
# {nasty.replace(chr(10), " ")}

<script>alert(1)</script>

<!-- {nasty} -->

[a](javascript:alert(1)) [b](data:text/html,x) ![c](https://example.invalid/x.png) [d](other.md)
<img src=x onerror=alert(1)> <br> [e](https://example.invalid/) [f](#nowhere)

| Metric | Target | Critical Threshold |
|---|---|---|
| Error Rate {nasty.partition("|")[0]} | < 0.1% | > 1% |

## Neo4j Recovery

```bash
kubectl get pods {nasty.partition(chr(10))[0]}
```
"""
    hostile = {"title": NASTY, "reason": NASTY, "condition": NASTY, "put_back": NASTY}
    one = procedure(ProofOutcome.REFUTED, **hostile, variant=NASTY)
    told = proofs(procedure(ProofOutcome.REFUTED, **hostile, corrected=one))
    source = render(survey(text, "runbook.md"), replace(told, target=NASTY, notes=(NASTY,)))
    page = Page(source)
    assert not {"script", "img", "iframe", "object", "form", "base"} & {t for t, _ in page.tags}
    assert not [a for _, a in page.tags if any(k.startswith("on") or k == "style" for k in a)]
    assert {str(a["href"])[:9] for a in page.named("a") if not str(a["href"]).startswith("#")} == {
        "https://e"
    }
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert not re.search("[\x00-\x08\x1b\ud800-\udfff\u202e]", source)


def test_the_policy_of_the_page_is_that_of_the_report() -> None:
    source = render(survey(TEXT, "runbook.md"), proofs())
    [style] = re.findall(r"<style>(.*?)</style>", source, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in source
