"""--fix changes what a finding is about, and nothing else; what it writes is read again."""

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.runbook.lint import RULES, Result
from slo.runbook.lint.base import Fix
from slo.runbook.lint.fixes import applied, fixed
from slo.runbook.reader import survey
from tests.slo.runbook.lint.looking import look
from tests.slo.runbook.lint.test_pages import blocks, page

NO_PROMTOOL = tuple(r for r in RULES if r.id not in {"always-the-same", "fires-when-healthy"})


def check(text: str) -> Result:
    return look(text, rules=NO_PROMTOOL)


BEFORE_AND_AFTER = [
    ("kubectl exec -it web-0 sh", "kubectl exec -it web-0 -- sh"),
    ("kubectl exec db-0 -- psql < a.sql", "kubectl exec -i db-0 -- psql < a.sql"),
    ("kubectl -n a get pods --show-all", "kubectl -n a get pods"),
    ("kubectl drain n1 --delete-local-data", "kubectl drain n1 --delete-emptydir-data"),
    ("kubectl annotate po a t=$(date)", "kubectl annotate --overwrite po a t=$(date)"),
    ("redis-cli slaveof no one", "redis-cli replicaof no one"),
    # Where the command goes on, or stands there twice, a person decides.
    ("kubectl exec -it web-0 sh -c main", "kubectl exec -it web-0 sh -c main"),
]


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER)
def test_a_command_is_changed_where_that_is_safe(before: str, after: str) -> None:
    text = "# A\n\n## Restart it\n\n```bash\n{}\n```\n"
    assert fixed(text.format(before), check)[0] == text.format(after)


def test_a_manifest_gets_the_version_that_has_the_same_fields() -> None:
    text = "```yaml\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\n```\n"
    assert fixed(text, check)[0] == text.replace("v1beta1", "v1")


def test_a_link_is_led_to_the_one_heading_that_is_near() -> None:
    text = "[x](#scaling)\n\n# \U0001f4c8 Scaling\n"
    assert fixed(text, check)[0] == text.replace("(#scaling)", "(#-scaling)")


def test_words_that_stand_twice_in_a_line_are_left_alone() -> None:
    assert applied("a b a\n", Fix(1, "a", "c")) is None
    assert applied("a b\r\n", Fix(1, "a", "c")) == "c b\r\n"
    assert applied("a b\n", Fix(3, "a", "c")) is None


EXAMPLES = [example for rule in NO_PROMTOOL for example in blocks(page(rule), "Found")]
COMMANDS = [before for before, _ in BEFORE_AND_AFTER]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=3), st.sampled_from(COMMANDS))
def test_fixes_change_only_lines_that_have_findings_and_bring_no_new_ones(
    examples: list[str], command: str
) -> None:
    text = "\n\n".join([*examples, f"## More\n\n```bash\n{command}\n```\n"])
    after, done = fixed(text, check)
    was, now = text.split("\n"), after.split("\n")
    assert len(was) == len(now)
    changed = {i + 1 for i, (a, b) in enumerate(zip(was, now, strict=True)) if a != b}
    assert changed == {f.source.line for f in done}
    for line in changed:
        matcher = difflib.SequenceMatcher(None, was[line - 1], now[line - 1], autojunk=False)
        pieces = [o for o in matcher.get_opcodes() if o[0] != "equal"]
        assert len(pieces) <= 6
    left = [(f.rule, f.source.line, f.message) for f in check(after).findings]
    before = [(f.rule, f.source.line, f.message) for f in check(text).findings]
    assert set(left) <= set(before)
    assert len(left) <= len(before) - len(done)
    steps = [s for p in survey(text, "r.md").procedures for s in p.steps]
    assert len([s for p in survey(after, "r.md").procedures for s in p.steps]) == len(steps)
