"""Steps in their shell: what they can do, and what the kernel keeps from them.

The texts here are not looked at before they run: this is the fence behind the reading.
"""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from chaos.prove.shell.shell_session import ShellSession
from chaos.prove.steps.execution import Hand
from chaos.prove.steps.recorder import record
from chaos.run.journal_writer import JournalWriter
from slo.evidence.journal import read_journal
from slo.runbook.reader import survey

LIMIT_S = 60.0


def test_a_step_is_bash_as_people_know_it(session: ShellSession) -> None:
    text = 'for x in b a; do echo "$x"; done | sort | tr a-z A-Z > f\ncat f'
    ran = session.run(text, limit_s=LIMIT_S)
    assert ran.ok
    assert ran.output == "A\nB\n"
    assert [c.words[0] for c in ran.calls][-1] == "cat"


def test_variables_and_files_are_there_in_the_next_step(session: ShellSession) -> None:
    session.run("pod=$(echo 'api 0'); list=(a b); echo x > kept", limit_s=LIMIT_S)
    ran = session.run('echo "[$pod] ${list[1]}"; cat kept', limit_s=LIMIT_S)
    assert ran.output == "[api 0] b\nx\n"


def test_a_failure_in_the_middle_is_noticed_with_its_line(session: ShellSession) -> None:
    ran = session.run("true\ncat missing\necho goes on", limit_s=LIMIT_S)
    assert ran.exit_code == 0
    assert not ran.ok
    assert ran.output.endswith("goes on\n")
    (failure,) = ran.failures
    assert (failure.line, failure.exit_code) == (1, 1)


def test_a_condition_that_does_not_hold_is_no_failure(session: ShellSession) -> None:
    ran = session.run("if grep -q x /dev/null; then echo a; fi; false || echo b", limit_s=LIMIT_S)
    assert ran.ok


def test_what_follows_within_a_time_limit_is_ended_as_without(session: ShellSession) -> None:
    session.run("echo kept > log", limit_s=LIMIT_S)
    ran = session.run("timeout 50 tail -f log\ncat log | diff -q - log", limit_s=LIMIT_S)
    assert ran.ok, ran.output
    assert ran.output == "kept\n"
    followed = [c for c in ran.calls if c.words[0] == "tail"]
    assert [c.followed for c in followed] == [True]
    damaged = session.run("head -c 2 log | diff -q - log", limit_s=LIMIT_S)
    assert not damaged.ok


def test_a_step_that_never_ends_is_ended_with_all_that_it_started(session: ShellSession) -> None:
    begun = time.monotonic()
    ran = session.run("sleep 971 & while :; do echo again; done", limit_s=1.5)
    assert ran.timed_out
    assert not ran.ok
    assert time.monotonic() - begun < 30
    assert len(ran.output) < 100_000
    assert "left out" in ran.output
    _all_are_gone("971")


def test_a_step_is_ended_from_another_thread_when_all_is_over(session: ShellSession) -> None:
    threading.Timer(0.5, session.over.set).start()
    ran = session.run("exec >&- 2>&-; sleep 973", limit_s=LIMIT_S)
    assert ran.timed_out
    assert ran.seconds < LIMIT_S
    _all_are_gone("973")


def test_what_goes_on_in_the_background_ends_with_its_step(session: ShellSession) -> None:
    assert session.run("sleep 972 & echo done", limit_s=LIMIT_S).output == "done\n"
    _all_are_gone("972")


def _all_are_gone(word: str) -> None:
    """What was killed stays in the list of processes until the kernel has taken it apart."""
    deadline = time.monotonic() + LIMIT_S
    while _processes_of(word):
        assert time.monotonic() < deadline, f"sleep {word} goes on"
        time.sleep(0.01)


def _processes_of(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"sleep" in words[0] and word.encode() in words:
            found.append(path.name)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "cat /etc/shadow",
        "cat < /etc/passwd",
        "ls /root /home",
        "cat /proc/1/environ",
        "echo x > /tmp/gameday-was-here",
        "/usr/bin/id",
        "/usr/bin/env",
        "awk 'BEGIN { exit system(\"/usr/bin/id\") }'",
        "kill -0 $PPID",
        "cat ../jail.json",
    ],
)
def test_the_kernel_keeps_a_step_from_what_is_not_its_own(session: ShellSession, text: str) -> None:
    ran = session.run(text, limit_s=LIMIT_S)
    assert not ran.ok, ran.output
    assert not Path("/tmp/gameday-was-here").exists()


def test_a_step_reaches_no_port_but_the_api_servers(session: ShellSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ran = session.run(f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo inside", limit_s=LIMIT_S)
        assert "inside" not in ran.output
        assert "Permission denied" in ran.output


def test_the_environment_is_not_ours(
    session: ShellSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_TEST_TOKEN", "not for runbooks")
    ran = session.run("export -p; set", limit_s=LIMIT_S)
    assert "not for runbooks" not in ran.output
    assert os.environ["PATH"] not in ran.output


def test_secrets_are_masked_in_output_and_words(session: ShellSession) -> None:
    ran = session.run(
        "cat <<E\nhunter2-secret\nE\ngrep -c hunter2-secret /dev/null", limit_s=LIMIT_S
    )
    assert "hunter2" not in ran.output
    assert all("hunter2" not in word for call in ran.calls for word in call.words)


@pytest.mark.parametrize(
    "words",
    [
        "get pods --kubeconfig /root/.kube/config",
        "get pods --server=https://127.0.0.1:1",
        "-s https://127.0.0.1:1 get pods",
        "get pods --token abc",
        "get pods --as system:admin",
        "get --raw /api",
        "config view --raw",
        "apply -f https://example.org/x.yaml",
        "proxy",
        "drain node-1",
    ],
)
def test_kubectl_keeps_to_its_target(session: ShellSession, words: str) -> None:
    ran = session.run(f"kubectl {words}", limit_s=LIMIT_S)
    assert ran.exit_code == 126
    assert ran.calls[0].refused


def test_a_variable_cannot_smuggle_words_past_kubectls_own_look(session: ShellSession) -> None:
    ran = session.run('x="--server https://127.0.0.1:1"; kubectl get pods $x', limit_s=LIMIT_S)
    assert ran.calls[0].refused


def test_a_procedure_that_is_ended_half_way_has_no_end(
    session: ShellSession, tmp_path: Path
) -> None:
    text = "# Shop\n\n## Patience\n\n```bash\nsleep 600\n\n# Then\necho never\n```\n"
    (procedure,) = survey(text, "shop.md").procedures
    hand = Hand(session=session, values={})
    threading.Timer(1, session.over.set).start()
    with JournalWriter(tmp_path / "journal.jsonl") as journal:
        proofs = record(procedure, hand, journal)
    assert [p.reason for p in proofs] == ["ended half-way, as the run was ended"]
    events = [e.event for e in read_journal(tmp_path / "journal.jsonl")]
    assert events == ["procedure.started", "step.started", "step.ended"]
