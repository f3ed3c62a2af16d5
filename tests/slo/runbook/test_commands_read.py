"""Every command of a block, an item, a sentence and a cell is read, and output is no command."""

import pytest

from slo.runbook.model import Runbook
from slo.runbook.reader import survey


def steps(text: str) -> list[str]:
    return [s.text for p in survey(text, "x.md").procedures for s in p.steps if s.commands]


def block(content: str, language: str = "") -> Runbook:
    return survey(f"# A\n\n## Deployment\n\n```{language}\n{content}\n```\n", "x.md")


def commands(book: Runbook) -> list[str]:
    return [s.text for p in book.procedures for s in p.steps]


def test_lines_after_a_pipeline_stay_lines() -> None:
    lines = [
        "kubectl get jobs | grep Failed | sort | head -3",
        "kubectl delete job nightly",
        "kubectl uncordon n7 2>/dev/null",
        "helm list | grep x | wc -l",
        "helm uninstall x",
    ]
    book = block("\n".join(lines), "bash")
    assert commands(book) == lines
    assert [len(s.commands) for s in book.procedures[0].steps] == [4, 1, 1, 3, 1]


def test_one_line_that_is_no_shell_does_not_swallow_the_next() -> None:
    book = block(
        "echo it's late\nkubectl get po | | wc\nfor x in a b; do\n  rm $x\ndone\nls /", "sh"
    )
    assert commands(book) == [
        "echo it's late",
        "kubectl get po | | wc",
        "for x in a b; do\n  rm $x\ndone",
        "ls /",
    ]


def test_a_long_block_that_the_grammar_cannot_place_is_read_line_by_line() -> None:
    lines = ["echo don't", "kubectl get po | | wc"] * 400
    assert commands(block("\n".join(lines), "bash")) == lines


def test_every_command_of_an_item() -> None:
    text = (
        "## Upgrade\n\n1. Run `helm repo update`, then `helm upgrade web ./web`.\n"
        "2. Look:\n   - `kubectl get po`\n   1. and `kubectl get no`\n"
    )
    assert steps(text) == [
        "helm repo update",
        "helm upgrade web ./web",
        "kubectl get po",
        "kubectl get no",
    ]


def test_commands_of_sentences_and_cells_are_steps_or_mentioned() -> None:
    text = (
        "## Nodes\n\nRun `kubectl cordon n1`. You can see them with `kubectl get nodes`.\n\n"
        "| Task | Command |\n|---|---|\n| list | `kubectl get po -A` |\n"
    )
    assert steps(text) == ["kubectl cordon n1"]
    assert [s.text for s in survey(text, "x.md").mentioned] == ["kubectl get nodes"]
    assert [s.text for s in survey(text, "x.md").tabled] == ["kubectl get po -A"]


@pytest.mark.parametrize("language", ["bash", ""])
def test_a_printed_table_below_a_command_is_its_output(language: str) -> None:
    table = "NAME      STATUS   AGE\ndel-1     Bound    3d\nrm        Lost     9d"
    book = block(f"kubectl get pvc\n{table}\nkubectl delete pvc rm", language)
    assert commands(book) == ["kubectl get pvc", "kubectl delete pvc rm"]
    assert book.procedures[0].steps[0].output == table


def test_reports_of_kubectl_are_output() -> None:
    book = block('kubectl delete po a\npod "a" deleted\nkubectl get po\nerror: no pods', "sh")
    assert commands(book) == ["kubectl delete po a", "kubectl get po"]


@pytest.mark.parametrize(
    "prompt", ["$ ", "ops@bastion:~$ ", "[root@db1 ~]# ", "PS> ", "PS C:\\ops> ", "bash-5.1$ "]
)
def test_prompts_make_a_transcript_of_a_block_without_a_language(prompt: str) -> None:
    book = block(f"{prompt}kubectl get po\nweb 1/1 Running\n{prompt}kubectl get no\nn1 Ready")
    assert [(s.text, s.output) for s in book.procedures[0].steps] == [
        ("kubectl get po", "web 1/1 Running"),
        ("kubectl get no", "n1 Ready"),
    ]


def test_a_command_before_the_first_prompt_is_a_command() -> None:
    assert commands(block("docker exec -it db bash\n$ pg_dump shop\n$ exit")) == [
        "docker exec -it db bash",
        "pg_dump shop",
        "exit",
    ]


def test_a_here_document_belongs_to_its_prompt() -> None:
    book = block("$ cat <<EOF | kubectl apply -f -\nkind: Pod\nEOF\npod/x created\n$ ls /")
    assert commands(book) == ["cat <<EOF | kubectl apply -f -\nkind: Pod\nEOF", "ls /"]


def test_a_word_that_is_not_known_loses_nothing_but_itself() -> None:
    book = block("az aks get-credentials -n blue\nAll is well\nfrobctl sync --all\nlogout")
    assert commands(book) == ["az aks get-credentials -n blue", "frobctl sync --all", "logout"]
    assert [(u.text, u.reason) for u in book.unread] == [
        ("All is well", "not known to be a command")
    ]


@pytest.mark.parametrize(
    "words",
    [
        "**helm** available on the laptop",
        "psql access for the team",
        "docker and git installed",
        "Make sure that the pods are up",
    ],
)
def test_words_that_begin_with_a_programs_name_are_words(words: str) -> None:
    assert steps(f"## Upgrade\n\n1. {words}\n2. `helm list -A`\n") == ["helm list -A"]


def test_a_query_between_the_items_does_not_end_the_procedure() -> None:
    text = (
        "## Slow\n\n1. Find the route:\n\n   ```promql\n   sum by (r) (rate(x_total[5m]))\n   ```\n"
        "2. Roll it back.\n3. Tell the team.\n"
    )
    (found,) = survey(text, "x.md").procedures
    assert [s.text for s in found.steps] == ["Find the route:", "Roll it back.", "Tell the team."]


def test_titles_that_repeat_are_told_apart_by_the_heading_above() -> None:
    text = "".join(f"## {a}\n\n### Fix\n\n1. `kubectl get {a}`\n\n" for a in ("pods", "nodes"))
    assert [p.name for p in survey(text, "x.md").procedures] == ["pods-fix", "nodes-fix"]


def test_an_item_that_leads_to_a_block_is_its_title_and_no_step_of_its_own() -> None:
    text = """# Web

## Rollback

1. Go back to the release before:

   ```bash
   kubectl -n shop rollout undo deployment/web
   ```

2. Wait until it serves:
   ```bash
   kubectl -n shop rollout status deployment/web
   kubectl -n shop get pods
   ```

3. Tell the team:

4. Close the incident.
"""
    (procedure,) = survey(text, "x.md").procedures
    assert [(s.title, s.number, s.kind.value) for s in procedure.steps] == [
        ("Go back to the release before", 1, "command"),
        ("Wait until it serves", 2, "command"),
        ("Wait until it serves", 2, "command"),
        ("Tell the team:", 3, "manual"),
        ("Close the incident.", 4, "manual"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "kubectl rollout restart deploy/web -n shop",
        "kubectl -n shop rollout restart deploy/web",
        "kubectl --namespace=shop --context prod rollout restart deploy/web --timeout=5s",
        "/usr/local/bin/kubectl -v 6 rollout -n shop restart deploy/web",
    ],
)
def test_options_before_the_verb_hide_no_verb(text: str) -> None:
    ((command,),) = [s.commands for s in block(text, "bash").procedures[0].steps]
    assert command.plain == ("kubectl", "rollout", "restart", "deploy/web")
