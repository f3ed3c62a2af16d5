"""Whatever has become of the files of a run: scoring it is a verdict or a sentence."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slo.documents import DocumentError
from slo.evidence.journal import JournalError
from slo.evidence.recording import read_recording
from slo.model import Verdict
from slo.verdict.score import score
from tests.slo.builders import Act, Run, build

FILES = ["journal.jsonl", "metrics.parquet", "samples.parquet", "events.jsonl", "system.yaml"]
PIECES = [b"null", b'"', b"{}", b"-1", b"1e999", b"NaN", b"9" * 30, b"\x00", b"\xff", b"\n"]
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(PIECES) | st.binary())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(Run(acts=(Act(),)), tmp_path_factory.mktemp("whole") / "run")


@given(name=st.sampled_from(FILES), edits=st.lists(EDIT, min_size=1, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_scoring_ends_with_a_verdict_or_a_sentence(
    whole: Path, tmp_path: Path, name: str, edits: list[tuple[float, int, bytes]]
) -> None:
    directory = tmp_path / "run"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(whole, directory)
    data = (directory / name).read_bytes()
    for where, length, piece in edits:
        at = int(where * len(data))
        data = data[:at] + piece + data[at + length :]
    (directory / name).write_bytes(data)
    try:
        verdict = score(read_recording(directory))
    except (DocumentError, JournalError):
        return
    assert isinstance(verdict, Verdict)
