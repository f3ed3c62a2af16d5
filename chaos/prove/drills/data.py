"""Data that a drill writes before and looks for afterwards, as system.yaml says how."""

import os
import secrets
from functools import partial

from chaos.kube.system_under_test import wait
from chaos.parts.find import PartError
from chaos.prove.drills.base import Stage, sight
from slo.system.data import DataCheck, filled, found_at, with_variables
from slo.system.parts import FilesPart
from slo.verdict.proofs import ProofOutcome, Sight

WRITTEN_S = 90.0
_ATTEMPTS = 50


def check_of(stage: Stage, part: FilesPart | None, title: str) -> DataCheck:
    """The check of what this part keeps. Raises PartError where there is none."""
    name = part.name if part is not None else title
    for check in stage.system.data:
        if check.part.casefold() == name.casefold():
            _headers_of(check)
            return check
    raise PartError(
        f"nobody says how to see whether what {name} keeps is still there; add to system.yaml:"
        f" data: [{{name: NAME, part: {name}, write: {{path: /PATH, body: {{}}, id: id}},"
        " read: {path: '/PATH/{id}'}}]"
    )


def _headers_of(check: DataCheck) -> tuple[dict[str, str], dict[str, str]]:
    """Of what writes and of what reads, as they are sent. Raises PartError."""
    try:
        written, read = check.write.headers, check.read.headers
        return with_variables(written, os.environ), with_variables(read, os.environ)
    except KeyError as error:
        why = f"the environment variable {error.args[0]} is not set"
        raise PartError(f"{why}, which the check of {check.name} in system.yaml sends") from error


def write(stage: Stage, check: DataCheck, most: int | None = None) -> None:
    """Write the items, as a user would, and remember those that were taken."""
    items: list[dict[str, str]] = []
    for number in range(min(check.items, most or check.items)):
        words = {"number": str(number), "unique": f"gameday-{secrets.token_hex(8)}"}
        wait(partial(_written, stage, check, words), WRITTEN_S)
        if "id" in words:
            items.append(words)
    stage.memory["check"], stage.memory["items"] = check, items


def items_of(stage: Stage) -> list[dict[str, str]]:
    """The words of each item that was written: its id, its number, its unique text."""
    found: list[dict[str, str]] = stage.memory["items"]
    return found


def known(stage: Stage) -> int:
    """How many of them are read back now."""
    check: DataCheck = stage.memory["check"]
    stage.memory["asked"] = attempt = stage.memory.get("asked", 0) % _ATTEMPTS + 1
    return sum(_read(stage, check, {**item, "attempt": str(attempt)}) for item in items_of(stage))


def all_known(stage: Stage) -> bool:
    return known(stage) == len(items_of(stage))


def intact(stage: Stage, rounds: int = 3) -> Sight:
    """All of them are there, asked several times, so that each of several pods answers."""
    check: DataCheck = stage.memory["check"]
    written = len(items_of(stage))
    wanted = f"all {written} {check.name} from before"
    if not written:
        return Sight(
            name="data",
            finding=ProofOutcome.INCONCLUSIVE,
            wanted=f"{check.name} from before",
            seen="none could be written before",
        )
    counts = [known(stage) for _ in range(rounds)]
    return sight("data", wanted, holds=min(counts) == written, seen=f"{min(counts)} of {written}")


def _written(stage: Stage, check: DataCheck, words: dict[str, str]) -> bool:
    """One try; the item's id is among its words afterwards."""
    asked = check.write
    answer = stage.system.ask(
        asked.method,
        filled(asked.path, words),
        filled(asked.body, words) if asked.body is not None else None,
        more=_headers_of(check)[0],
    )
    if answer is None or not answer.is_success:
        return False
    if asked.id is None:
        words["id"] = words["unique"]
        return True
    try:
        name = found_at(answer.json(), asked.id)
    except ValueError:
        return False
    if name is not None:
        words["id"] = name
    return name is not None


def _read(stage: Stage, check: DataCheck, words: dict[str, str]) -> bool:
    asked = check.read
    answer = stage.system.ask("GET", filled(asked.path, words), more=_headers_of(check)[1])
    if answer is None or answer.is_error:
        return False
    return filled(asked.contains, words) in answer.text
