"""What the title of a metric means: the name that an indicator of it goes by, and its unit."""

import re
from typing import NamedTuple

from slo.model import Unit
from slo.runbook.reading.vocabulary import in_english


class Quantity(NamedTuple):
    name: str
    unit: Unit


_PERCENTILE = r"\bp\s?(\d{2}(?:\.\d+)?)\b|(\d{2}(?:\.\d+)?)th percentile"
_RESPONSE_TIME = r"\b(response|request) time\b|\blatency\b"
_FAISS = r"\bfaiss\b.*\b(query|search)\b|\b(vector|faiss) (query|search)"
_OTHERS = (
    (r"\b(error|failure) (rate|ratio)\b", Quantity("error_rate", Unit.RATIO)),
    (r"\bcpu\b", Quantity("cpu_utilization", Unit.RATIO)),
    (r"\bmemory\b", Quantity("memory_usage", Unit.RATIO)),
    (r"\bpods? (availability|available)\b", Quantity("pod_availability", Unit.RATIO)),
)


def quantity(title: str) -> Quantity | None:
    """None for a title that says none of them.

    A response time that names no percentile is none either: guessing one would invent a promise.
    """
    words = in_english(title).casefold()
    if re.search(_FAISS, words):
        return Quantity("faiss_query_time", Unit.SECONDS)
    if re.search(_RESPONSE_TIME, words):
        found = re.search(_PERCENTILE, words)
        if found is None:
            return None
        return Quantity(f"response_time_p{float(found[1] or found[2]):g}", Unit.SECONDS)
    return next((q for pattern, q in _OTHERS if re.search(pattern, words)), None)
