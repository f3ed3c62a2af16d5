"""Texts become unit vectors, the same on every machine; like texts lie close."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.embedding import DIMENSIONS, embed


@given(st.text(max_size=300))
def test_an_embedding_is_a_unit_vector_and_the_same_each_time(text: str) -> None:
    vector = embed(text)
    assert vector.shape == (DIMENSIONS,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(vector, embed(text))


def test_case_does_not_matter_but_words_do() -> None:
    assert np.array_equal(embed("The Orchard"), embed("the orchard"))
    near = np.linalg.norm(embed("the orchard of the valley") - embed("an orchard in the valley"))
    far = np.linalg.norm(embed("the orchard of the valley") - embed("memory protects kinship"))
    assert near < far


def test_coordinates_are_pinned_so_that_an_index_built_elsewhere_fits() -> None:
    vector = embed("seed")
    assert np.flatnonzero(vector).tolist() == [
        *(9, 24, 213, 265, 449, 479, 559, 591, 620, 630, 665, 683, 711, 717, 742)
    ]
    assert np.flatnonzero(vector < 0).tolist() == [213, 265, 449, 630, 665, 711, 717, 742]
