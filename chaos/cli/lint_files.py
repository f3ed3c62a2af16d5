"""Which files a check is of, what a team has chosen for them, and what is written back."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.cli.errors import UsageError
from slo.documents import place_of
from slo.exit_codes import ExitCode
from slo.runbook.lint import RULES, Context, Level, Result, Rule, check
from slo.runbook.lint.baseline import BaselineError, Known, known_of, read, without_known, written
from slo.runbook.lint.expressions import expressions
from slo.runbook.lint.fixes import fixed
from slo.runbook.reader import survey
from slo.runbook.reading.share import share_read
from slo.system.place import FILE, find_system

_RUNBOOKS = frozenset((".md", ".markdown", ".mdx", ".rst"))
_DATA = frozenset((".yaml", ".yml", ".json"))
_LEFT_OUT = frozenset(("node_modules", "vendor", ".git", ".venv"))


def runbook_files(paths: Iterable[Path]) -> list[Path]:
    """The files themselves, and of a folder all texts, rules files and dashboards below it.

    Raises UsageError for a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        below = [p for p in sorted(path.rglob("*")) if p.is_file() and _wanted(p, path)]
        if not below:
            raise UsageError(f"{path}: no runbook in this folder, which are *.md, *.rst and rules")
        found += below
    return list(dict.fromkeys(found))


def _wanted(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    if any(p in _LEFT_OUT or (p.startswith(".") and len(p) > 1) for p in parts):
        return False
    if path.suffix in _RUNBOOKS:
        return True
    if path.suffix not in _DATA:
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return '"expr"' in text or ("expr:" in text and ("alert:" in text or "record:" in text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The rules that are looked for and what they count as; versions where the command has none."""

    rules: tuple[Rule, ...] = RULES
    levels: dict[str, Level]
    kubernetes: str | None = None
    prometheus: str | None = None


def chosen(file: Path) -> Choice:
    """What `lint:` in the system.yaml at or above the file says. Raises DocumentError."""
    folder = find_system(file.absolute().parent)
    if folder is None:
        return Choice(levels={})
    from slo.system.folder import read_system

    said = read_system(folder).system.lint
    known = {rule.id for rule in RULES}
    for part, ids in (("off", said.off), ("levels", tuple(said.levels))):
        for number, rule in enumerate(ids):
            if rule not in known:
                step = number if part == "off" else rule
                where = place_of(folder / FILE, "lint", part, step)
                raise UsageError(f"{where}: there is no rule {rule!r}; docs/rules lists them")
    return Choice(
        rules=tuple(r for r in RULES if r.id not in said.off),
        levels={rule: Level(level) for rule, level in said.levels.items()},
        kubernetes=said.kubernetes,
        prometheus=said.prometheus,
    )


@dataclass(slots=True)
class Baseline:
    """The file of findings that are known, with runbooks named relative to its folder."""

    path: Path
    known: Known

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Raises UsageError."""
        try:
            return cls(path, read(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; --write-baseline makes one") from error
        except (BaselineError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: {error}") from error

    def new(
        self, checked: Iterable[tuple[Context, Result]]
    ) -> tuple[list[tuple[Context, Result]], int]:
        """What is not known, and how many findings that leaves out."""
        left: list[tuple[Context, Result]] = []
        hidden = 0
        for context, result in checked:
            known = self.known.get(named(context.runbook.file, self.path), {})
            new, count = without_known(result, context.runbook.lines, known)
            left.append((context, new))
            hidden += count
        return left, hidden


def named(file: str, baseline: Path) -> str:
    """The runbook as the baseline names it: relative to the baseline's folder."""
    return Path(os.path.relpath(Path(file).absolute(), baseline.absolute().parent)).as_posix()


def baseline_text(checked: Iterable[tuple[Context, Result]], path: Path) -> str:
    return written({named(c.runbook.file, path): known_of(r, c.runbook.lines) for c, r in checked})


def write_files(texts: Mapping[Path, str]) -> None:
    """Raises UsageError."""
    from reports.write import replace_text

    for path, text in texts.items():
        try:
            replace_text(path, text)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error


def fix_file(file: Path, given: Context, choice: Choice) -> list[str]:
    """Write what is safe into the file; a sentence for each change. Raises UsageError."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            text = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: --fix changes UTF-8 text alone ({error})") from error
    after, done = fixed(text, _check(given, choice))
    if after != text:
        write_files({file: after})
    return [
        f"{file}:{f.source.line}: {f.fix.old.strip()!r} is {f.fix.new.strip()!r} now ({f.rule})"
        for f in done
        if f.fix is not None
    ]


def check_file(
    file: Path, look: Callable[[Path, Choice], Context], *, fix: bool
) -> tuple[Context, Result]:
    """One file under the rules that are chosen for it; changes are told on standard error."""
    choice = chosen(file)
    given = look(file, choice)
    if fix:
        for said in fix_file(file, given, choice):
            print(said, file=sys.stderr)
        given = look(file, choice)
    return given, check(given, choice.rules, choice.levels)


def exit_code(checked: Sequence[tuple[Context, Result]]) -> ExitCode:
    """1 for an error, 3 where of none of the files anything was read."""
    if any(found.count(Level.ERROR) for _, found in checked):
        return ExitCode.FAIL
    if all(share_read(given.runbook).nothing for given, _ in checked):
        return ExitCode.INCONCLUSIVE
    return ExitCode.PASS


def _check(given: Context, choice: Choice) -> Callable[[str], Result]:
    def again(text: str) -> Result:
        book = survey(text, given.runbook.file)
        context = replace(given, runbook=book, expressions=expressions(book))
        return check(context, choice.rules, choice.levels)

    return again
