"""Commands and statements that Neo4j 5 and later do not have any more, and those of Enterprise.

Sources: Neo4j operations manual 4.4, 5 and 2026, "Neo4j Admin and Neo4j CLI" (which marks the
Enterprise commands), "Back up an online database", "Restore a database backup", "Inspect the
metadata of a backup file" (backup inspect: Enterprise, since 5.25), "Copy a database store";
upgrade and migration guide, "Changes to procedures". What Community refuses and what it takes
instead is asked of the real programs in tests/slo/runbook/lint/test_neo4j_answers.py.
"""

import re

from slo.runbook.lint.replacement import EnterpriseOnly, Instead, Removed

# Options may stand before a subcommand; a word of the same call is none that ends it.
_ADMIN = r"\bneo4j-admin (?:-\S+ )*"
_WORDS = r"(?: [^\s;&|]+)*?"
_END = r"(?=[=\s]|$)"
# A statement stands at the start of a line or an argument, or after another one.
_STATEMENT = r"(?:^|[\"';\n])\s*"

DUMP = "neo4j-admin database dump --to-path=DIR DATABASE"
LOAD = "neo4j-admin database load --from-path=DIR --overwrite-destination=true DATABASE"
BACKUP = "neo4j-admin database backup --to-path=DIR DATABASE"
RESTORE = "neo4j-admin database restore --from-path=DIR --overwrite-destination=true DATABASE"
# Community cannot stop one database alone.
_DUMP_OFFLINE = Instead(command=DUMP, note="with Neo4j stopped, ")
_LOAD_OFFLINE = Instead(command=LOAD, note="with Neo4j stopped, ")
_BACKUP = Instead(command=DUMP, note="with Neo4j stopped, ", enterprise=BACKUP)
_RESTORE = Instead(command=LOAD, note="with Neo4j stopped, ", enterprise=RESTORE)
_DUMP = Instead(command=DUMP, note="with the database stopped, ")
_LOAD = Instead(command=LOAD, note="with the database stopped, ")


def _removed(
    pattern: str, what: str, example: str, instead: Instead, *, cypher: bool = False
) -> Removed:
    return Removed(
        pattern=re.compile(pattern, re.IGNORECASE),
        what=what,
        since="Neo4j 5",
        instead=instead,
        example=example,
        cypher=cypher,
        image="neo4j",
        major=5,
    )


def _top(name: str, instead: Instead, *, but: str = "") -> Removed:
    """A command that stood at the top level; `but` is what follows it where it still does."""
    return _removed(
        rf"{_ADMIN}{name}(?![\w-]){but}", f"neo4j-admin {name}", f"neo4j-admin {name}", instead
    )


def _options(command: str, options: str, example: str, instead: Instead) -> Removed:
    """Options that a command had."""
    return _removed(
        rf"{_ADMIN}{command}{_WORDS} (?P<option>--(?:{options})){_END}",
        rf"the option \g<option> of neo4j-admin {command}",
        f"neo4j-admin {command} {example}",
        instead,
    )


def _call(name: str, command: str, *, enterprise: str = "", note: str = "") -> Removed:
    return _removed(
        rf"\bCALL\s+{re.escape(name)}(?![.\w])",
        f"the procedure {name}()",
        f"CALL {name}()",
        Instead(command=command, enterprise=enterprise, note=note),
        cypher=True,
    )


REMOVED = (
    # What is left of `neo4j-admin backup` are commands of Enterprise on backups that are there.
    _top("backup", _BACKUP, but=r"(?! (?:-\S+ )*(?:inspect|aggregate|validate|help|-h|--help)\b)"),
    _top("restore", _RESTORE),
    _top("dump", _DUMP),
    _top("load", _LOAD),
    _top(
        "copy",
        Instead(
            command=DUMP,
            note="with the database stopped, ",
            enterprise="neo4j-admin database copy DATABASE COPY",
        ),
    ),
    _top("check-consistency", Instead(command="neo4j-admin database check DATABASE")),
    _top("store-info", Instead(command="neo4j-admin database info DATABASE")),
    _top("import", Instead(command="neo4j-admin database import full --nodes=FILE DATABASE")),
    _top("memrec", Instead(command="neo4j-admin server memory-recommendation")),
    _top("unbind", Instead(command="neo4j-admin server unbind")),
    _top("report", Instead(command="neo4j-admin server report")),
    _top("set-default-admin", Instead(command="neo4j-admin dbms set-default-admin NAME")),
    _top("set-initial-password", Instead(command="neo4j-admin dbms set-initial-password PASSWORD")),
    _options("database dump", "database|to", "--database=neo4j --to=DIR/neo4j.dump", _DUMP),
    _options("database load", "database|from|force", "--from=DIR/neo4j.dump --force neo4j", _LOAD),
    _options(
        "database check",
        "database|backup",
        "--database=neo4j",
        Instead(command="neo4j-admin database check DATABASE"),
    ),
    _options(
        "database backup", "backup-dir|database", "--backup-dir=DIR --database=neo4j", _BACKUP
    ),
    _options("database restore", "database|from", "--from=DIR --database=neo4j", _RESTORE),
    _call("dbms.cluster.overview", "SHOW DATABASES", enterprise="SHOW SERVERS"),
    _call("dbms.cluster.protocols", "SHOW DATABASES", enterprise="SHOW SERVERS"),
    _call("dbms.cluster.role", "SHOW DATABASES YIELD name, address, role"),
    _call("db.indexes", "SHOW INDEXES"),
    _call("db.constraints", "SHOW CONSTRAINTS"),
    _call("dbms.procedures", "SHOW PROCEDURES"),
    _call("dbms.functions", "SHOW FUNCTIONS"),
    _call("dbms.listQueries", "SHOW TRANSACTIONS"),
    _call("dbms.listTransactions", "SHOW TRANSACTIONS"),
    *(
        _call(
            f"dbms.{name}",
            "TERMINATE TRANSACTIONS 'ID'",
            note="with the transaction's id from SHOW TRANSACTIONS, ",
        )
        for name in ("killQuery", "killQueries", "killTransaction", "killTransactions")
    ),
    _call("dbms.security.listUsers", "SHOW USERS"),
    _call("dbms.security.createUser", "CREATE USER NAME SET PASSWORD 'PASSWORD'"),
    _call(
        "dbms.security.changePassword",
        "ALTER CURRENT USER SET PASSWORD FROM 'OLD' TO 'NEW'",
        note="in the database system, ",
    ),
    _call("dbms.security.changeUserPassword", "ALTER USER NAME SET PASSWORD 'PASSWORD'"),
    _call("dbms.security.deleteUser", "DROP USER NAME"),
    _removed(
        r"\bCREATE\s+INDEX\s+ON\s*:",
        "CREATE INDEX ON :LABEL(PROPERTY)",
        "CREATE INDEX ON :L(p)",
        Instead(command="CREATE INDEX NAME FOR (n:LABEL) ON (n.PROPERTY)"),
        cypher=True,
    ),
    _removed(
        r"\bDROP\s+INDEX\s+ON\s*:",
        "DROP INDEX ON :LABEL(PROPERTY)",
        "DROP INDEX ON :L(p)",
        Instead(command="DROP INDEX NAME", note="with the name from SHOW INDEXES, "),
        cypher=True,
    ),
    _removed(
        r"\bCREATE\s+CONSTRAINT\b[^;]*?\bASSERT\b",
        "CREATE CONSTRAINT ON … ASSERT",
        "CREATE CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE",
        Instead(command="CREATE CONSTRAINT NAME FOR (n:LABEL) REQUIRE n.PROPERTY IS UNIQUE"),
        cypher=True,
    ),
    _removed(
        r"\bDROP\s+CONSTRAINT\s+ON\b",
        "DROP CONSTRAINT ON … ASSERT",
        "DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE",
        Instead(command="DROP CONSTRAINT NAME", note="with the name from SHOW CONSTRAINTS, "),
        cypher=True,
    ),
)


def _admin(pattern: str, example: str, instead: Instead) -> EnterpriseOnly:
    return EnterpriseOnly(
        pattern=re.compile(rf"\b(?P<command>neo4j-admin (?:-\S+ )*{pattern})(?![\w-])"),
        instead=instead,
        example=f"neo4j-admin {example}",
    )


def _cypher(pattern: str, example: str, instead: Instead) -> EnterpriseOnly:
    return EnterpriseOnly(
        pattern=re.compile(rf"{_STATEMENT}(?P<command>{pattern})", re.IGNORECASE),
        instead=instead,
        example=example,
        cypher=True,
    )


_DATABASES = Instead(command="SHOW DATABASES", note="Community has no cluster: ")
_USERS = Instead(command="SHOW USERS", note="in Community every user may do everything: ")

ENTERPRISE = (
    _admin("database backup", "database backup --to-path=DIR neo4j", _DUMP_OFFLINE),
    _admin("database restore", "database restore --from-path=DIR neo4j", _LOAD_OFFLINE),
    _admin("database copy", "database copy neo4j copy", _DUMP_OFFLINE),
    _admin("database aggregate-backup", "database aggregate-backup neo4j", _DUMP_OFFLINE),
    _admin("backup (?:aggregate|validate)", "backup aggregate --from-path=DIR", _DUMP_OFFLINE),
    _admin(
        "backup inspect",
        "backup inspect DIR",
        Instead(command="neo4j-admin database load --info --from-path=DIR DATABASE"),
    ),
    _admin(
        "dbms unbind-system-db",
        "dbms unbind-system-db",
        Instead(command="neo4j-admin server unbind"),
    ),
    _cypher(
        r"(?:CREATE(?:\s+OR\s+REPLACE)?(?:\s+COMPOSITE)?|DROP(?:\s+COMPOSITE)?)\s+DATABASE\b",
        "CREATE DATABASE other",
        Instead(note="a Neo4j of its own: Community has one database besides system"),
    ),
    _cypher(
        r"(?:STOP|START|ALTER)\s+DATABASE\b",
        "STOP DATABASE neo4j",
        Instead(note="stop, start or configure Neo4j itself: Community has one database"),
    ),
    _cypher(r"SHOW\s+SERVERS?\b", "SHOW SERVERS", _DATABASES),
    _cypher(
        r"(?:ENABLE|ALTER|RENAME|DROP)\s+SERVER\b|DEALLOCATE\s+DATABASES?\b|REALLOCATE\b",
        "ENABLE SERVER 'a'",
        _DATABASES,
    ),
    _cypher(
        r"(?:CREATE|ALTER|DROP)\s+ALIAS\b|SHOW\s+ALIAS(?:ES)?\b",
        "CREATE ALIAS a FOR DATABASE neo4j",
        Instead(command="SHOW DATABASES", note="Community has no aliases: "),
    ),
    _cypher(
        r"(?:CREATE|DROP|RENAME)\s+(?:IMMUTABLE\s+)?ROLE\b|(?:GRANT|DENY|REVOKE)\b"
        r"|SHOW\s+(?:ALL\s+|POPULATED\s+)?ROLES?\b|SHOW\s+(?:\w+\s+){0,3}PRIVILEGES?\b",
        "SHOW ROLES",
        _USERS,
    ),
    _cypher(
        r"ALTER\s+USER\b[^;]*?\bSET\s+STATUS\b",
        "ALTER USER neo4j SET STATUS SUSPENDED",
        Instead(command="ALTER USER NAME SET PASSWORD 'PASSWORD'"),
    ),
    _cypher(
        r"CREATE\s+CONSTRAINT\b[^;]*?\bREQUIRE\b[^;]*?\bIS\s+(?:NOT\s+NULL|(?:\w+\s+)?KEY|::)",
        "CREATE CONSTRAINT c FOR (n:L) REQUIRE n.p IS NOT NULL",
        Instead(
            command="CREATE CONSTRAINT NAME FOR (n:LABEL) REQUIRE n.PROPERTY IS UNIQUE",
            note="Community has constraints of uniqueness alone: ",
        ),
    ),
    _cypher(
        r"CALL\s+dbms\.cluster\.(?!overview|role\b|protocols|routing)\w+",
        "CALL dbms.cluster.uncordonServer('a')",
        _DATABASES,
    ),
)
