"""The journal: what was written is there, whatever happens to the writer."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.run.journal_writer import JournalWriter
from slo.evidence.journal import FaultReverted, JournalError, RunEnded, read_journal

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from chaos.run.journal_writer import JournalWriter
from slo.evidence.journal import FaultReverted
with JournalWriter(Path(sys.argv[1])) as journal:
    for number in range(10_000_000):
        journal.append(
            FaultReverted(time=datetime.now(UTC), experiment=str(number), evidence="x")
        )
        print(number, flush=True)
"""


@given(st.lists(st.text(), max_size=5))
def test_entries_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    entries = tuple(FaultReverted(time=NOW, experiment="e", evidence=t) for t in texts)
    with JournalWriter(path) as journal:
        for entry in entries:
            journal.append(entry)
    assert read_journal(path) == entries


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as journal:
        journal.append(RunEnded(time=NOW, ended_by="completed"))
        journal.append(RunEnded(time=NOW, ended_by="aborted"))
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines()[1])):
        path.write_bytes(whole[:-cut])
        assert len(read_journal(path)) == 1


def test_any_other_damage_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "nonsense"}\n')
    with pytest.raises(JournalError, match=r"journal.jsonl, line 1: "):
        read_journal(path)
    with pytest.raises(JournalError, match="No such file"):
        read_journal(tmp_path / "missing.jsonl")


def test_what_was_announced_is_on_the_disk_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    announced = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    announced += writer.stdout.readlines()
    writer.wait()
    whole = [line for line in announced if line.endswith("\n")]
    assert len(read_journal(path)) >= len(whole) >= 20
