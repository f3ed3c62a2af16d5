"""What a user can get wrong, or find wrong: each ends with one sentence and code 2."""

from chaos.cluster import ClusterError
from slo.documents import DocumentError


class UsageError(Exception):
    """The command line asks for what cannot be."""


USER_ERRORS: tuple[type[Exception], ...] = (UsageError, ClusterError, DocumentError)
