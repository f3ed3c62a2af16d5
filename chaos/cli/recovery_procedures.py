"""The procedures that a plan names as its recoveries, ready to be carried out."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos.cli import target
from chaos.cli.errors import UsageError
from chaos.kube import Cluster
from chaos.kube.system_under_test import SystemUnderTest
from chaos.plan.model import Experiment, Plan
from chaos.prove.steps.execution import Hand
from chaos.prove.steps.recorder import record
from chaos.prove.steps.secret_mask import SecretMask
from chaos.run.game_day import RecoveryProcedure
from chaos.run.journal_writer import JournalWriter
from slo.documents import line_of
from slo.runbook.model import Procedure, Runbook


def find_procedure(book: Runbook, wanted: str) -> Procedure:
    """By name or title. Raises UsageError, which says what there is."""
    for procedure in book.procedures:
        if wanted.casefold() in {procedure.name, procedure.title.casefold()}:
            return procedure
    names = ", ".join(p.name for p in book.procedures) or "none at all"
    raise UsageError(f"{book.file} has no procedure {wanted!r}; it has {names}")


def check_procedures(plan_file: Path, plan: Plan, book: Runbook) -> None:
    """Raises UsageError with the plan's line for a procedure that the runbook does not have."""
    for i, experiment in enumerate(plan.experiments):
        if experiment.procedure is None:
            continue
        try:
            find_procedure(book, experiment.procedure.name)
        except UsageError as error:
            line = line_of(plan_file, "experiments", i, "recovery", "procedure")
            field = f"experiments[{i}].recovery.procedure"
            raise UsageError(f"{plan_file}, line {line}: field {field!r}: {error}") from error


@contextmanager
def recovery_procedures(
    plan: Plan, book: Runbook, cluster: Cluster, files: Path | None, *, unconfined: bool
) -> Iterator[RecoveryProcedure | None]:
    """None for a plan without procedures, which needs no account of its own."""
    if not any(e.procedure for e in plan.experiments):
        yield None
        return
    where = SystemUnderTest(
        cluster=cluster,
        namespace=plan.target.namespace,
        workload=plan.target.workload,
        kind=plan.target.full_kind,
        url="",
    )
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gameday-")))
        opened = target.shells(cluster, where.namespace, home, unconfined=unconfined)
        shells = stack.enter_context(opened)

        def cure(experiment: Experiment, journal: JournalWriter, over: threading.Event) -> None:
            asked = experiment.procedure
            assert asked is not None
            known = SecretMask.of(where)
            session = shells(home / experiment.name, known.mask)
            session.over = over
            if files is not None:
                session.place(files)
            hand = Hand(
                session=session,
                values={**where.guesses(), **asked.set},
                limit_s=asked.limit.total_seconds(),
            )
            record(find_procedure(book, asked.name), hand, journal, experiment.name)

        yield cure
