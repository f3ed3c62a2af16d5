"""What the text of a code block is, whatever its fence says: rules, SQL, samples, JSON, queries."""

import re

from slo.runbook.promql import PromQLError, parse
from slo.runbook.reading.masks import without_placeholders
from slo.runbook.reading.recognition import is_command

_RULE = re.compile(r"(?m)^[ \t]*(?:-[ \t]+)?[\"']?(?:alert|record)[\"']?[ \t]*:")
_RULE_EXPR = re.compile(r"(?m)^[ \t]*(?:-[ \t]+)?[\"']?expr[\"']?[ \t]*:")
_SQL = re.compile(
    r"^(?:SELECT\s+(?:.*\bFROM\b|[\w.*(]+)|INSERT\s+INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b"
    r"|(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:UNIQUE\s+)?(?:TABLE|INDEX|DATABASE|USER|ROLE"
    r"|VIEW|SCHEMA|EXTENSION|SYSTEM|MATERIALIZED|FUNCTION|SEQUENCE|KEYSPACE)\b|GRANT\s+\w+|REVOKE\s+\w+"
    r"|TRUNCATE\s+\w+|VACUUM\b|ANALYZE\b|EXPLAIN\s+\w+|WITH\s+\w+\s+AS\s*\(|SHOW\s+\w+"
    r"|BEGIN\s*;|\\[dcltxu]\w*\b)",
    re.IGNORECASE | re.DOTALL,
)
_SAMPLE = re.compile(
    r"^[A-Za-z_:][\w:]*(?:\{[^{}]*\})?\s+(?:=>\s*)?[-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|NaN|Inf)"
    r"(?:\s+(?:@\[?)?[\d.]+\]?)?$|^\{[^{}]*\}\s+(?:=>\s*)?[-+]?[\d.]+(?:\s+@\[[\d.]+\])?$"
)
_RANGE = re.compile(r"\[\d+(?:ms|[smhdwy])\]")
_PSQL = re.compile(r"^\s*[-+]{5,}\s*$|^\(\d+ rows?\)$", re.MULTILINE)
_JSON = re.compile(r"^\s*[{\[]\s*(?:\"|[{\[\]}]|$)")
_CODE = re.compile(
    r"^(?:def |class |import |from \w+ import|require |package |func |function |const |let |var "
    r"|public |puts |print\(|end$|#include|use strict)"
    r"|^\s*(?:[A-Z]\w+(?:::\w+)*|\w+)\.\w+(?:\(.*\)|\s*\{|\.)",
)
# What no language has beside PromQL: a range in brackets, a matcher in braces, its own functions.
_ONLY_PROMQL = re.compile(
    r"\[\d+(?:ms|[smhdwy])(?::[^\]]*)?\]|\[\$\w+\]|[A-Za-z_:][\w:]*\{[^{}]*(?:=~|!~|!=|=)\s*\"[^{}]*\}"
    r"|\b(?:rate|irate|increase|histogram_quantile|absent|deriv|label_replace)\s*\("
    r"|\b(?:sum|avg|max|min|count|topk|quantile|stddev)\s*(?:by|without)?\s*\("
)


def holds_rules(text: str) -> bool:
    """Alerting or recording rules, in YAML or in JSON."""
    return bool(_RULE.search(text) and _RULE_EXPR.search(text)) or (
        '"alert":' in text and '"expr":' in text
    )


def other_language(text: str) -> str:
    """What else a block is, as the reason why it is not read; "" for what may be read."""
    lines = [x for x in text.split("\n") if x.strip()]
    told = [x for x in lines if not re.match(r"\s*(?:#|--|//)", x)]
    if not told:
        return ""
    first = told[0].strip()
    if _SQL.match("\n".join(told).strip()) and not is_command(first):
        return "SQL, which is not read"
    if all(_SAMPLE.match(x.strip()) for x in told):
        return "sample output of metrics, not queries"
    ruled = len(lines) > 1 and _PSQL.match(lines[1])
    if ruled or (_PSQL.search(text) and not is_command(first)):
        return "the output of a query to a database"
    if logql(text) and first.startswith(("{", "sum", "count", "rate", "topk", "avg", "max", "min")):
        return "LogQL, the language of Loki, which is not checked"
    if _JSON.match(first) and '"expr"' not in text:
        return "JSON, which is data"
    if _CODE.match(first) and not _RANGE.search(text):
        return "a program in another language"
    return ""


# A line filter or a parser behind a stream selector: Loki's language, which PromQL lacks.
_LOGQL = re.compile(
    r"\|[=~>]|\|\s*(?:json|logfmt|pattern|regexp|unpack|decolorize|line_format|label_format|unwrap"
    r"|keep|drop|[a-z_]\w*\s*(?:=~|!~|!=|==|=|[<>]=?))|\}\s*![=~>]\s*[\"`]"
)


def logql(text: str) -> bool:
    """Is it a query to Loki? Strings do not count, but for the backquoted ones of a filter."""
    return bool(_LOGQL.search(re.sub(r"\"(?:\\.|[^\"\\])*\"", '""', text)))


def is_sample(line: str) -> bool:
    return bool(_SAMPLE.match(line.strip()))


def looks_like_promql(text: str) -> bool:
    """For a block without a language: its first lines are PromQL, or could be nothing else."""
    lines = [x for x in text.split("\n") if x.strip() and not x.lstrip().startswith("#")]
    if not lines or re.search(r"\$\(|\|", re.sub(r"\"[^\"]*\"|'[^']*'", "", text)):
        return False
    first = lines[0]
    if not _ONLY_PROMQL.search(first) and not _ONLY_PROMQL.search("\n".join(lines[:3])):
        return False
    if is_command(first) or other_language(text):
        return False
    if _RANGE.search(text) or re.search(r"\{[^{}]*=~?\s*\"", text):
        return True
    return any(_parses("\n".join(lines[: n + 1])) for n in range(min(len(lines), 8)))


def _parses(text: str) -> bool:
    try:
        parse(without_placeholders(text))
    except PromQLError:
        return False
    return True
