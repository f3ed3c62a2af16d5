"""The `gameday` command: the composition root, thin commands over the packages below.

The modules imported here declare commands with their arguments; what a command needs is imported
inside its function, so that the command starts fast. The other modules (`run_checks`, `proving`,
`conclusion`, ...) are what these functions call.
"""

import sys

from chaos.cli.app import app
from chaos.run.interrupt import InterruptedRunError

# Importing a command's module registers it.
from chaos.cli import cluster, doctor, init, recovery, load, offline, plans, procedures  # isort: skip
from chaos.cli import prove, run, runbook, schema  # isort: skip

__all__ = [
    "app",
    "cluster",
    "doctor",
    "init",
    "load",
    "main",
    "offline",
    "plans",
    "procedures",
    "prove",
    "recovery",
    "run",
    "runbook",
    "schema",
]


def main() -> None:
    """Run the command line; a user's mistake ends with one sentence and code 2."""
    try:
        app()
    except InterruptedRunError as error:
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        from slo.exit_codes import ExitCode

        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        from chaos.cli.user_errors import exit_code_of

        code = exit_code_of(error)
        if code is None:
            raise
        print(f"gameday: {error}", file=sys.stderr)
        sys.exit(code)
