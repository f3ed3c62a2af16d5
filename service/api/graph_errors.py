"""What the graph database's errors mean to the service: away (503), or a bug of ours (500).

The driver tells a database that is away by the exception's class for some errors and by the status
code for others; here both become one exception. Codes: Neo4j status codes 5,
https://neo4j.com/docs/status-codes/current/errors/all-errors/
"""

from neo4j.exceptions import AuthError, DatabaseError, DriverError, Neo4jError, TransientError

# Client errors by their class, yet nothing that a client's request has caused.
AWAY_CODES = frozenset(
    {
        "Neo.ClientError.Cluster.NotALeader",  # a follower was asked to write
        "Neo.ClientError.Database.DatabaseNotFound",  # dropped, or not there on this member yet
        "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
        "Neo.ClientError.Security.AuthenticationRateLimit",  # after three wrong passwords
        "Neo.ClientError.Security.CredentialsExpired",  # the first password was never changed
        "Neo.ClientError.Security.TokenExpired",
        "Neo.ClientError.Security.Unauthorized",
        "Neo.ClientError.Transaction.TransactionTimedOut",
        "Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration",
    }
)


class GraphAwayError(Exception):
    """The graph does not answer now; `str()` is the code or the class of the driver's error."""


def is_away(error: Exception) -> bool:
    """Whether the database is away, rather than asked for something that is wrong.

    ConstraintValidationFailed and everything about syntax is the latter: it goes to the caller as
    it is, who answers 500.
    """
    if isinstance(error, Neo4jError):
        away = isinstance(error, (AuthError, DatabaseError, TransientError))
        return away or error.code in AWAY_CODES
    return isinstance(error, (DriverError, OSError))


def reason_of(error: Exception) -> str:
    """In a few words, for /health, e.g. "AuthenticationRateLimit" or "ServiceUnavailable"."""
    code = error.code if isinstance(error, Neo4jError) else None
    return code.rsplit(".", 1)[-1] if code else type(error).__name__
