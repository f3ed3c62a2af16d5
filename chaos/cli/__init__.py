"""The `gameday` command: the composition root, thin commands over the packages below."""

import sys

from chaos.cli.app import app
from chaos.cli.errors import USER_ERRORS
from chaos.run.interrupt import InterruptedRunError
from chaos.run.preflight import LeftoverError
from slo.exit_codes import ExitCode

# Importing a command's module registers it.
from chaos.cli import cluster, doctor, recovery, load, offline, plans, procedures  # isort: skip
from chaos.cli import prove, run, runbook  # isort: skip

__all__ = [
    "app",
    "cluster",
    "doctor",
    "load",
    "main",
    "offline",
    "plans",
    "procedures",
    "prove",
    "recovery",
    "run",
    "runbook",
]


def main() -> None:
    """Run the command line; a user's mistake ends with one sentence and code 2."""
    try:
        app()
    except USER_ERRORS as error:
        print(f"gameday: {error}", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    except LeftoverError as error:
        print(f"gameday: {error}", file=sys.stderr)
        sys.exit(ExitCode.FAULT_STUCK)
    except InterruptedRunError as error:
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
