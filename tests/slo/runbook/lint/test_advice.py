"""Advice is tried: what a rule suggests parses, and keeps selectors, labels and ranges."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from slo.runbook.promql import Node, parse, render, selectors
from tests.slo.runbook.lint.looking import look

LABEL = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(
    lambda w: w not in {"by", "on", "and", "or", "bool", "le", "inf", "nan", "sum", "min", "max"}
)
VALUE = st.text(st.sampled_from('ab/.*"\\é$'), max_size=5)
MATCHERS = st.lists(st.tuples(LABEL, st.sampled_from(["=", "!="]), VALUE), max_size=3)
RANGES = st.sampled_from(["30s", "5m", "90m", "1h", "36h", "7d", "1500ms"])


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def selector(name: str, matchers: list[tuple[str, str, str]], window: str = "") -> str:
    inside = ",".join(f"{k}{op}{quoted(v)}" for k, op, v in matchers)
    return f"{name}{{{inside}}}" + (f"[{window}]" if window else "")


SELECTORS = st.builds(selector, st.just("m_total"), MATCHERS)
RATES = st.builds(lambda m, w: f"rate({selector('m_total', m, w)})", MATCHERS, RANGES)
EXPRESSIONS = st.recursive(
    st.one_of(SELECTORS, RATES, st.sampled_from(["1", "0.25", "1e9"])),
    lambda inner: st.one_of(
        st.builds("({} / {})".format, inner, inner),
        st.builds("({} * on (a, b) {})".format, SELECTORS, SELECTORS),
        st.builds("(-{} > 3)".format, SELECTORS),
        st.builds("sum by (job, x) ({})".format, SELECTORS),
        st.builds("topk without (x) (3, {})".format, RATES),
        st.builds("max_over_time(({})[1h:])".format, RATES),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_what_is_rendered_is_read_back_as_the_same_tree(text: str) -> None:
    tree: Node = parse(text)
    assert parse(render(tree)) == tree


@settings(max_examples=30, deadline=None)
@given(MATCHERS, RANGES, st.sampled_from(["0.5", "0.95", "0.999"]))
def test_a_suggested_query_keeps_selectors_and_ranges(
    matchers: list[tuple[str, str, str]], window: str, quantile: str
) -> None:
    buckets = selector("wait_seconds_bucket", matchers, window)
    expr = f"histogram_quantile({quantile}, rate({buckets}))"
    result = look(f"## Q\n\n```promql\n# Average wait\n{expr}\n```\n")
    asked = selectors(parse(expr))[0]
    tried = 0
    for finding in result.findings:
        for advice in re.findall(r"(?:first|average): (\w.*)$", finding.suggestion):
            for found in selectors(parse(advice)):
                assert (found.matchers, found.range_s) == (asked.matchers, asked.range_s)
            tried += 1
    assert tried == 2
