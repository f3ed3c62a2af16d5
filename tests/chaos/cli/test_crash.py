"""However the command ends, its code is no verdict unless a verdict was reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chaos.cli
from chaos.cli import crash
from service.gameday import RUNBOOK
from slo.exit_codes import ExitCode

GAMEDAY = Path(sys.executable).with_name("gameday")


def test_an_error_of_ours_ends_with_a_file_to_send_and_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken() -> None:
        raise KeyError("[/checkout] \x1b[2J")

    monkeypatch.setattr(chaos.cli, "app", broken)
    monkeypatch.setattr(crash.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        chaos.cli.main()
    (kept,) = tmp_path.iterdir()
    said = capsys.readouterr().err
    assert ended.value.code == ExitCode.CRASHED == 70
    assert "Traceback" not in said
    assert str(kept) in said
    assert "\x1b" not in said
    assert "KeyError" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_an_output_that_is_full_is_said_and_is_no_verdict() -> None:
    command = [str(GAMEDAY), "runbook", "show", str(RUNBOOK), "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "Traceback" not in done.stderr


def test_a_locale_without_unicode_loses_nothing() -> None:
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [str(GAMEDAY), "runbook", "show", str(RUNBOOK)]
    done = subprocess.run(command, check=False, env=env, capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr
    assert done.returncode == ExitCode.PASS, done.stderr


@pytest.mark.parametrize(
    "text",
    ["", "a: [", "[]", "7", "users: 3\nclusters: x\n", "current-context: nobody\n", "\x00\xff"],
)
def test_a_damaged_kubeconfig_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="latin-1")
    command = [str(GAMEDAY), "recover", "--kubeconfig", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert f"no usable kubeconfig {path}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
