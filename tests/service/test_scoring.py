"""The score is a pure function of the text, and fails closed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.scoring import PASS_THRESHOLD, WEIGHTS, combine, evaluate, measure

GOOD = "The council measured the grain in March. According to its accounts, the store is full."


@given(st.text(max_size=500))
def test_every_dimension_lies_in_the_unit_interval_and_is_the_same_each_time(text: str) -> None:
    dimensions = measure(text)
    assert dimensions.keys() == WEIGHTS.keys()
    assert all(0.0 <= value <= 1.0 for value in dimensions.values())
    assert evaluate(text) == evaluate(text)
    assert 0.0 <= evaluate(text).score <= 1.0


def test_the_weights_are_those_of_the_system_and_sum_to_one() -> None:
    assert list(WEIGHTS.values()) == [0.30, 0.20, 0.20, 0.20, 0.10]
    assert math.fsum(WEIGHTS.values()) == pytest.approx(1.0)


def test_a_sound_text_passes_with_a_perfect_score() -> None:
    assert evaluate(GOOD).score == 1.0
    assert evaluate(GOOD).passed


@pytest.mark.parametrize(
    ("addition", "dimension"),
    [
        (" It never fails.", "truthfulness"),
        (" What an idiot.", "dignity"),
        (" THEY SHOULD LEAVE NOW!!!", "dignity"),
        (" All merchants lie.", "fairness"),
        (" and then" * 45 + ".", "excellence"),
        (" Grain" * 9 + ".", "sustainability"),
    ],
)
def test_each_fault_lowers_its_dimension(addition: str, dimension: str) -> None:
    assert measure(GOOD + addition)[dimension] < measure(GOOD)[dimension]


def test_support_redeems_an_absolute_claim() -> None:
    bare, supported = "It never fails.", "It never fails, according to the measured data."
    assert measure(bare)["truthfulness"] < measure(supported)["truthfulness"]


@pytest.mark.parametrize("text", ["", "   ", "!?!", "___"])
def test_a_text_without_a_word_scores_nothing(text: str) -> None:
    assert evaluate(text).score == 0.0
    assert not evaluate(text).passed


@given(
    st.sampled_from(sorted(WEIGHTS)),
    st.floats(allow_nan=True, allow_infinity=True).filter(lambda x: not 0.0 <= x <= 1.0),
)
def test_a_value_out_of_range_fails_closed(name: str, value: float) -> None:
    score = combine(dict.fromkeys(WEIGHTS, 1.0) | {name: value})
    assert (score.score, score.passed) == (0.0, False)


def test_a_missing_or_unknown_dimension_fails_closed() -> None:
    perfect = dict.fromkeys(WEIGHTS, 1.0)
    assert combine(perfect).passed
    assert combine({k: v for k, v in perfect.items() if k != "dignity"}).score == 0.0
    assert combine(perfect | {"luck": 1.0}).score == 0.0


def test_the_threshold_itself_passes() -> None:
    at = combine(dict.fromkeys(WEIGHTS, PASS_THRESHOLD))
    below = combine(dict.fromkeys(WEIGHTS, PASS_THRESHOLD - 0.001))
    assert (at.passed, below.passed) == (True, False)
