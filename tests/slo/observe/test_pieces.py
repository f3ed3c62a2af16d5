"""A long range is asked for in pieces: together they are the range, and nothing twice."""

from hypothesis import given
from hypothesis import strategies as st

from slo.observe import prometheus
from slo.observe.prometheus import pieces


@given(
    start=st.integers(0, 2**41),
    length=st.integers(0, 10**6),
    step=st.integers(1, 10**4),
    most=st.integers(1, 50),
)
def test_pieces_are_the_range_without_gap_or_overlap(
    start: int, length: int, step: int, most: int
) -> None:
    points = length // step + 1
    most = max(most, points // 500)  # a few hundred pieces at most
    before, prometheus.MOST_POINTS = prometheus.MOST_POINTS, most
    try:
        found = list(pieces(start, start + length, step))
    finally:
        prometheus.MOST_POINTS = before
    moments = [t for first, last in found for t in range(first, last + 1, step)]
    assert moments == list(range(start, start + length + 1, step))
    for first, last in found:
        assert (last - first) % step == 0
        assert (last - first) // step + 1 <= most
    assert len(found) == -(-points // most)


def test_an_end_before_the_start_has_no_pieces() -> None:
    assert list(pieces(10, 9, 5)) == []
