"""A failure that neighbours caused is forgiven and shown; one that is real is not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each test fails the first time that it is run.
UNLUCKY = """
import pytest
from pathlib import Path
@pytest.mark.parametrize("number", range({many}))
def test_unlucky(number):
    mark = Path(__file__).with_suffix(f".{{number}}")
    tried = mark.exists()
    mark.touch()
    assert tried
"""
WRONG = "def test_wrong():\n    assert False\n"


def twice(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_some.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "tests.twice", f"--rootdir={folder}", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_passes_by_itself_is_green_and_named(tmp_path: Path) -> None:
    done = twice(tmp_path, UNLUCKY.format(many=2))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 failed" in done.stdout
    shown = done.stdout.rstrip().splitlines()[-2:]
    assert {line.rpartition("::")[2] for line in shown} == {"test_unlucky[0]", "test_unlucky[1]"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(UNLUCKY.format(many=1) + WRONG, 1, id="one of two is real"),
        pytest.param(UNLUCKY.format(many=4), 1, id="many"),
        pytest.param("import nothing_of_that_name\n", 2, id="not even collected"),
        pytest.param("", 5, id="no tests"),
    ],
)
def test_what_fails_twice_or_often_is_red(tmp_path: Path, text: str, code: int) -> None:
    done = twice(tmp_path, text)
    assert done.returncode == code, done.stdout + done.stderr
