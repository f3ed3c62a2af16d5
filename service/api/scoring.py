"""The Ihsān score: five dimensions of a text, weighted (SYSTEM.md, "Scoring").

What each dimension measures is defined in README.md beside this file. All measures are counts over
words and sentences: no model, no randomness, no clock, so that the same text has the same score
on every pod.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "truthfulness": 0.30,
        "dignity": 0.20,
        "fairness": 0.20,
        "excellence": 0.20,
        "sustainability": 0.10,
    }
)
PASS_THRESHOLD = 0.95

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?؟\n]+[.!?؟\n]*")


def _lexicon(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Claims that leave no room for being wrong.
_ABSOLUTE = _lexicon(
    """always never everyone nobody everybody guaranteed undoubtedly undeniable certainly
    impossible infallible perfect flawless proven obviously clearly definitely absolutely"""
)
# What ties a claim to something that can be looked up.
_SUPPORT = _lexicon(
    """because since according source measured observed evidence reported shows data example
    reference cited approximately about may might perhaps likely unless if"""
)
_INSULT = _lexicon(
    """idiot idiots stupid moron morons fool fools dumb trash garbage worthless pathetic loser
    losers scum vermin disgusting hate hates"""
)
# "All X are", "those people": one judgement over a whole group.
_SWEEPING = re.compile(
    r"\b(?:all|every|no|most)\s+\w+\s+(?:is|are|do|does|want|wants|lie|lies)\b"
    r"|\b(?:those|these)\s+people\b|\b(?:us|we)\s+(?:versus|against|vs)\s+them\b",
    re.IGNORECASE,
)
_LONG_SENTENCE = 40  # words; beyond it a sentence counts as hard to read
_REPEAT_WINDOW = 200  # words; repetition is judged locally, so a long text is not punished


class Score(NamedTuple):
    """`score` in [0, 1]; `dimensions` by name, each in [0, 1] unless the evaluation failed."""

    score: float
    passed: bool
    dimensions: Mapping[str, float]


def combine(dimensions: Mapping[str, float]) -> Score:
    """Weigh five dimensions; fails closed.

    A dimension that is missing, unknown, not a number or outside [0, 1] gives score 0, not passed.
    """
    complete = dimensions.keys() == WEIGHTS.keys()
    if not complete or not all(0.0 <= value <= 1.0 for value in dimensions.values()):
        return Score(0.0, passed=False, dimensions=dimensions)
    total = math.fsum(WEIGHTS[name] * value for name, value in dimensions.items())
    score = round(min(total, 1.0), 6)
    return Score(score, passed=score >= PASS_THRESHOLD, dimensions=dimensions)


def words_of(text: str) -> list[str]:
    """The words of a text, case-folded, in order."""
    return [word.casefold() for word in _WORD.findall(text)]


def evaluate(content: str) -> Score:
    """Score a text. A text without a word shows nothing, so each of its dimensions is 0."""
    return combine(measure(content))


def measure(content: str) -> dict[str, float]:
    """The five dimensions of a text, each in [0, 1], rounded to six places."""
    original = _WORD.findall(content)
    if not original:
        return dict.fromkeys(WEIGHTS, 0.0)
    words = [word.casefold() for word in original]
    sentences = [s for s in map(words_of, _SENTENCE.findall(content)) if s]
    values = {
        "truthfulness": _truthfulness(sentences),
        "dignity": _dignity(original, words, content),
        "fairness": 1.0 - min(1.0, len(_SWEEPING.findall(content)) / len(sentences)),
        "excellence": _excellence(sentences, words),
        "sustainability": _sustainability(words),
    }
    return {name: round(value, 6) for name, value in values.items()}


def _truthfulness(sentences: list[list[str]]) -> float:
    """1 minus the share of sentences that claim absolutely and name no support."""
    bare = sum(
        1 for words in sentences if not _ABSOLUTE.isdisjoint(words) and _SUPPORT.isdisjoint(words)
    )
    return 1.0 - bare / len(sentences)


def _dignity(original: list[str], words: list[str], content: str) -> float:
    """1 minus insults (each weighs as five words), shouted words and runs of exclamation marks."""
    insults = sum(1 for word in words if word in _INSULT)
    shouted = sum(1 for word in original if len(word) > 3 and word.isupper())  # noqa: PLR2004  (acronyms are up to three letters)
    runs = content.count("!!")
    return 1.0 - min(1.0, (5 * insults + shouted + runs) / len(words))


def _excellence(sentences: list[list[str]], words: list[str]) -> float:
    """1 minus the share of words beyond the 40th of their sentence, and of stuttered words."""
    beyond = sum(max(0, len(sentence) - _LONG_SENTENCE) for sentence in sentences)
    stuttered = sum(1 for a, b in itertools.pairwise(words) if a == b)
    return 1.0 - min(1.0, (beyond + stuttered) / len(words))


def _sustainability(words: list[str]) -> float:
    """Economy of words: 1 minus the share that one word has beyond a tenth of its window.

    Windows of 200 words; in each, the most frequent word of four letters or more may take up to a
    tenth (and at least two places) before it counts as filling.
    """
    filling = 0
    for start in range(0, len(words), _REPEAT_WINDOW):
        window = words[start : start + _REPEAT_WINDOW]
        counted = Counter(word for word in window if len(word) > 3)  # noqa: PLR2004  (articles and the like)
        most = max(counted.values(), default=0)
        filling += max(0, most - max(2, len(window) // 10))
    return 1.0 - filling / len(words)
