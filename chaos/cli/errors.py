"""What a user can get wrong, or find wrong: each ends with one sentence and code 2."""

from chaos.alerts.live import LiveError
from chaos.cluster import ClusterError
from chaos.lease import LeaseError
from chaos.procedures.session import SessionError
from chaos.session import RefusedError
from loadtests.runner import LoadError
from service.cluster.embedded import EmbeddedError
from service.cluster.packages import PackageMissingError
from service.images.neo4j.distribution import Neo4jMissingError
from slo.documents import DocumentError
from slo.journal import JournalError
from slo.promtool import PromtoolError
from slo.recording import RecordingError
from slo.runbook import RunbookError


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
