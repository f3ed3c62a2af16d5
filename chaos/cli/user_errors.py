"""What a user can get wrong, or find wrong: each ends with one sentence and an exit code.

Imported when an error is on its way up, and not before: it loads most of the packages below.
"""

from chaos.cli.errors import UsageError
from chaos.kube import ClusterError
from chaos.prove.alerts.live import LiveError
from chaos.prove.shell.shell_session import SessionError
from chaos.run.in_cluster import InClusterError
from chaos.run.preflight import LeftoverError, RefusedError
from chaos.undo.lease import LeaseError
from loadtests.reach import UnreachableError
from loadtests.runner import LoadError
from service.cluster.embedded import EmbeddedError
from service.cluster.packages import PackageMissingError
from service.images.neo4j.distribution import Neo4jMissingError
from slo.documents import DocumentError
from slo.evidence.journal import JournalError
from slo.evidence.recording import RecordingError
from slo.exit_codes import ExitCode
from slo.observe.promtool import PromtoolError
from slo.runbook.reader import RunbookError

USER_ERRORS: tuple[type[Exception], ...] = (
    UsageError,
    ClusterError,
    DocumentError,
    EmbeddedError,
    InClusterError,
    JournalError,
    LeaseError,
    LiveError,
    LoadError,
    Neo4jMissingError,
    PackageMissingError,
    PromtoolError,
    RecordingError,
    RefusedError,
    RunbookError,
    SessionError,
)


def exit_code_of(error: Exception) -> ExitCode | None:
    """None for an error that is ours: its traceback is what helps then."""
    if isinstance(error, LeftoverError):
        return ExitCode.FAULT_STUCK
    if isinstance(error, UnreachableError):
        return ExitCode.INCONCLUSIVE
    return ExitCode.USAGE if isinstance(error, USER_ERRORS) else None
