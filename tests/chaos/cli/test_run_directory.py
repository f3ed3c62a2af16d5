"""Where runs stand, and which of them `latest` is."""

from pathlib import Path

import pytest

from chaos.cli.run_directory import point_latest_at
from chaos.run.progress import clock


def test_proofs_leave_the_link_to_the_latest_run_alone(tmp_path: Path) -> None:
    for name in ("one", "two", "proofs"):
        (tmp_path / name).mkdir()
    point_latest_at(tmp_path / "one")
    point_latest_at(tmp_path / "two")
    point_latest_at(tmp_path / "proofs", link="latest-proofs")
    links = {p.name: p.readlink().name for p in tmp_path.iterdir() if p.is_symlink()}
    assert links == {"latest": "two", "latest-proofs": "proofs"}


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "00:00"), (305.9, "05:05"), (3599, "59:59"), (3905, "1:05:05")]
)
def test_an_hour_is_told_as_an_hour(seconds: float, told: str) -> None:
    assert clock(seconds) == told
