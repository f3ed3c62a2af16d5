"""What a user can get wrong, or find wrong: each ends with one sentence and code 2."""

from chaos.kube import ClusterError
from chaos.prove.alerts.live import LiveError
from chaos.prove.shell.shell_session import SessionError
from chaos.run.preflight import RefusedError
from chaos.undo.lease import LeaseError
from loadtests.runner import LoadError
from service.cluster.embedded import EmbeddedError
from service.cluster.packages import PackageMissingError
from service.images.neo4j.distribution import Neo4jMissingError
from slo.documents import DocumentError
from slo.evidence.journal import JournalError
from slo.evidence.recording import RecordingError
from slo.observe.promtool import PromtoolError
from slo.runbook.reader import RunbookError


class UsageError(Exception):
    """The command line asks for what cannot be."""


USER_ERRORS: tuple[type[Exception], ...] = (
    UsageError,
    ClusterError,
    DocumentError,
    EmbeddedError,
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
