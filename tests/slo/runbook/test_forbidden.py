"""A command that the runbook forbids is kept as forbidden, and no procedure has it."""

import pytest

from chaos.prove.steps.execution import rehearse
from slo.runbook.model import Runbook
from slo.runbook.reader import survey

BAD, GOOD = "kubectl delete ns blue", "kubectl rollout restart deploy/blue"


def steps(book: Runbook) -> list[str]:
    return [s.text for p in book.procedures for s in p.steps if s.commands]


def forbidden(book: Runbook) -> list[str]:
    return [f.text for f in book.forbidden]


def printed(book: Runbook) -> list[str]:
    """What a dry run would run, without its remarks."""
    lines = [line for p in book.procedures for line in rehearse(p, {})]
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Never run `A`. Use `B`.",
        "DO NOT use `A`; use `B`.",
        "Don't run `A`, run `B`.",
        "Don’t ever run `A`! Run `B`.",
        "Instead of `A`, run `B`.",
        "Run `B` instead of `A`.",
        "Run `B` rather than `A`.",
        "Prefer `B` over `A`.",
        "Run `B` (not `A`).",
        "Avoid `A`; `B` is enough.",
        "`A` must not be used, run `B`.",
        "`A` is forbidden. Run `B`.",
        "~~`A`~~ `B`",
        "<del>`A`</del> `B`",
        "Never, under any circumstances, run `A`. Run `B`.",
        "When the disk is full, never run `A`, but `B`.",
        "We no longer use `A`; run `B`.",
        "`A`: never run this. Run `B`.",
        "Niemals `A` ausführen, stattdessen `B`.",
        "`A` nicht ausführen, sondern `B`.",
        "Statt `A` bitte `B` verwenden.",
        "Vermeiden Sie `A`. Führen Sie `B` aus.",
        "`A` darf nicht verwendet werden. `B` verwenden.",
        "N'exécutez jamais `A`, utilisez `B`.",
        "Ne pas lancer `A` ; lancez `B`.",
        "Au lieu de `A`, utilisez `B`.",
        "No ejecute `A`. Ejecute `B`.",
        "En lugar de `A`, use `B`.",
        "Nunca ejecute `A`; use `B`.",
        "Não execute `A`; use `B`.",
        "Em vez de `A`, use `B`.",
    ],
)
def test_an_item_that_forbids_one_command_and_tells_another(sentence: str) -> None:
    item = sentence.replace("`A`", f"`{BAD}`").replace("`B`", f"`{GOOD}`")
    book = survey(f"# Shop\n\n## Recovery\n\n1. Look around.\n2. {item}\n", "x.md")
    assert forbidden(book) == [BAD]
    assert steps(book) == [GOOD]
    assert printed(book) == [GOOD]


@pytest.mark.parametrize(
    "sentence",
    [
        "If the pod does not start, run `B`.",
        "To avoid an outage, run `B` first.",
        "Do not forget to run `B`.",
        "Pods that do not start: `B`",
        "Verify that nothing is restarting with `B`.",
        "Don't panic. Run `B`.",
        "Wenn der Pod nicht startet, `B` ausführen.",
        "Si le pod ne démarre pas, exécutez `B`.",
        "Si el pod no arranca, ejecute `B`.",
        "Se o pod não iniciar, execute `B`.",
        "👍 `B`",
    ],
)
def test_a_negation_about_something_else_forbids_nothing(sentence: str) -> None:
    item = sentence.replace("`B`", f"`{GOOD}`")
    book = survey(f"# Shop\n\n## Recovery\n\n1. {item}\n", "x.md")
    assert (steps(book), forbidden(book)) == ([GOOD], [])


@pytest.mark.parametrize(
    "sentence", ["Do not go on until `C` is empty.", "If you do not run `C` first, it fails."]
)
def test_where_it_is_not_certain_the_command_is_mentioned_and_no_step(sentence: str) -> None:
    item = sentence.replace("C", "kubectl get pods")
    book = survey(f"# Shop\n\n## Recovery\n\n1. {item}\n", "x.md")
    assert steps(book) == []
    assert [s.text for s in book.mentioned] == ["kubectl get pods"]


@pytest.mark.parametrize(
    "lead",
    [
        "**Bad:**",
        "Never run this:",
        "❌ Wrong",
        "The following must never be run:",
        "Don't:",
        "Falsch:",
        "À ne pas faire :",
        "Incorrecto:",
        "Errado:",
    ],
)
def test_a_block_below_such_words_is_forbidden(lead: str) -> None:
    text = f"## Restart\n\n{lead}\n\n```bash\n{BAD}\n```\n\nGood:\n\n```bash\n{GOOD}\n```\n"
    book = survey(text, "x.md")
    assert (forbidden(book), steps(book)) == ([BAD], [GOOD])


def test_a_section_of_what_not_to_do_has_no_steps() -> None:
    text = (
        f"## What not to do\n\n1. `{BAD}`\n\n### Ever\n\n```\n$ {BAD}\n```\n\n"
        f"## Restart\n\n1. `{GOOD}`\n"
    )
    book = survey(text, "x.md")
    assert (forbidden(book), steps(book)) == ([BAD, BAD], [GOOD])


def test_comments_in_a_block_forbid_what_they_stand_at() -> None:
    block = f"# never do this\n{BAD}\n\n# better\n{GOOD}\n{BAD}  # DON'T\n"
    book = survey(f"## Restart\n\n```bash\n{block}```\n", "x.md")
    assert [f.source.line for f in book.forbidden] == [5, 9]
    assert steps(book) == [GOOD]


def test_a_column_of_what_to_avoid_forbids_its_commands() -> None:
    text = f"## Restart\n\n| Avoid | Use |\n|---|---|\n| `{BAD}` | `{GOOD}` |\n"
    book = survey(text, "x.md")
    assert forbidden(book) == [BAD]
    assert [s.text for s in book.tabled] == [GOOD]


def test_a_paragraph_is_read_as_an_item_is() -> None:
    text = f"## Restart\n\nNever run `{BAD}`. To restart, run `{GOOD}`.\n"
    book = survey(text, "x.md")
    assert (forbidden(book), steps(book)) == ([BAD], [GOOD])
