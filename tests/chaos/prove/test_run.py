"""`gameday runbook run`, as a user types it, with real kubectl on a real API server."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaos.cli import app
from chaos.cli.user_errors import USER_ERRORS
from slo.evidence.journal import StepEnded, StepStarted, read_journal
from tests.cluster.apiserver_fixture import RunningApiServer
from tests.e2e.conftest import GAMEDAY

RUNBOOK = """\
# Shop

## Rotate the settings

```bash
# Write them
kubectl create configmap <name> -n default --from-literal=mode=new --dry-run=client -o yaml \\
  | kubectl apply -f -

# Look at each
for name in $(kubectl get configmap -n default -o name | grep settings); do
  kubectl get "$name" -n default -o jsonpath='{.data.mode}'
done
kubectl get secret token -n default -o yaml
```

## Fetch the backup

```bash
az storage blob download --name latest
kubectl get configmap -n default
```

## Reach out of the sandbox

```bash
kubectl delete namespace kube-system
kubectl get secrets -n kube-system
kubectl create clusterrolebinding mine --clusterrole=cluster-admin --serviceaccount=default:default
kubectl create rolebinding mine -n default --clusterrole=cluster-admin --group=mine
cat /etc/shadow
/usr/bin/python3 -c 'import os; print(os.environ)'
while true; do true; done
```
"""


def gameday(
    server: RunningApiServer, folder: Path, *words: str
) -> "subprocess.CompletedProcess[str]":
    (folder / "runbook.md").write_text(RUNBOOK)
    return subprocess.run(
        [GAMEDAY, "runbook", "run", *words, "--runbook", "runbook.md"],
        cwd=folder,
        env={**os.environ, "KUBECONFIG": str(server.kubeconfig), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


ON = ("--namespace", "default", "--yes")


def test_steps_run_in_order_and_are_written_down(server: RunningApiServer, tmp_path: Path) -> None:
    server.kubectl("create", "secret", "generic", "token", "--from-literal=word=correct-horse")
    done = gameday(server, tmp_path, "rotate-the-settings", *ON, "--set", "name=settings-1")
    assert done.returncode == 0, done.stdout + done.stderr
    stored = json.loads(server.kubectl("get", "configmap", "settings-1", "-o", "json"))
    assert stored["data"] == {"mode": "new"}
    (journal,) = (tmp_path / "runs").glob("*/journal.jsonl")
    entries = read_journal(journal)
    assert (entries[0].event, entries[-1].event) == ("procedure.started", "procedure.ended")
    started = [e for e in entries if isinstance(e, StepStarted)]
    ended = [e for e in entries if isinstance(e, StepEnded)]
    assert [e.line for e in started] == [e.line for e in ended] == [7, 11, 14]
    assert "kubectl create configmap settings-1 -n default" in started[0].command
    assert ended[1].output.strip() == "new"
    # What the namespace's Secrets hold is nowhere, neither as it is nor encoded.
    told = done.stdout + journal.read_text()
    assert "correct-horse" not in told
    assert "Y29ycmVjdC1ob3JzZQ==" not in told
    assert "•••" in ended[2].output


def test_dry_run_prints_what_would_run_and_runs_nothing(
    server: RunningApiServer, tmp_path: Path
) -> None:
    words = ("rotate-the-settings", "--dry-run", "--set", "name=settings-2")
    done = gameday(server, tmp_path, *words)
    assert done.returncode == 0
    assert "# line 7: Write them" in done.stdout
    assert "kubectl create configmap settings-2 -n default" in done.stdout
    assert "settings-2" not in server.kubectl("get", "configmap")
    assert not (tmp_path / "runs").exists()
    refused = gameday(server, tmp_path, "reach-out-of-the-sandbox", "--dry-run").stdout
    assert "# would not run: /usr/bin/python3 is a program by its path" in refused


def test_what_is_not_here_is_said_and_never_passed(
    server: RunningApiServer, tmp_path: Path
) -> None:
    done = gameday(server, tmp_path, "Fetch the backup", *ON)
    assert done.returncode == 3
    assert "line 20: not verifiable here: needs az, which is not here" in done.stdout


def test_a_hostile_runbook_is_refused_or_contained_and_said(
    server: RunningApiServer, tmp_path: Path
) -> None:
    done = gameday(server, tmp_path, "reach-out-of-the-sandbox", *ON, "--limit", "3s")
    assert done.returncode == 1
    assert "kube-system" in server.kubectl("get", "namespaces")
    said = done.stdout
    assert 'namespaces "kube-system" is forbidden' in said
    assert 'cannot list resource "secrets" in API group "" in the namespace "kube-system"' in said
    assert 'cannot create resource "clusterrolebindings"' in said
    assert 'cannot create resource "rolebindings"' in said, said
    assert "/etc/shadow: Permission denied" in said
    assert "refused: /usr/bin/python3 is a program by its path" in said
    assert "failed: not done after 3 s, and ended" in said
    # The account that the steps ran as is gone.
    assert "gameday-operator" not in server.kubectl("get", "serviceaccounts,roles,rolebindings")
    assert "gameday-operator" not in server.kubectl("get", "clusterrolebindings")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nonsense", *ON), "has no procedure 'nonsense'; it has rotate-the-settings"),
        (("fetch-the-backup", "--namespace", "default"), "there is nobody to ask before each step"),
        (("fetch-the-backup", *ON, "--set", "x"), '--set is written like "pod-name=api-7x"'),
        (("fetch-the-backup", "--namespace", "none", "--yes"), "cannot find namespace none"),
    ],
)
def test_mistakes_end_with_one_sentence(
    server: RunningApiServer, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    path = tmp_path / "runbook.md"
    path.write_text(RUNBOOK)
    where = ("--runbook", str(path), "--kubeconfig", str(server.kubeconfig))
    done = CliRunner().invoke(app, ["runbook", "run", *words, *where])
    assert isinstance(done.exception, USER_ERRORS)
    assert sentence in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_placeholder_that_nobody_knows_is_a_failed_step(
    server: RunningApiServer, tmp_path: Path
) -> None:
    done = gameday(server, tmp_path, "rotate-the-settings", *ON)
    assert done.returncode == 1
    assert "<name> is not known: give --set name=VALUE" in done.stdout
