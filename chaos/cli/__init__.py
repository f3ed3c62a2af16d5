"""The `gameday` command: the composition root, thin commands over the packages below.

The modules imported here declare commands with their arguments; what a command needs is imported
inside its function, so that the command starts fast. The other modules (`run_checks`, `proving`,
`conclusion`, ...) are what these functions call.
"""

import sys
from io import TextIOWrapper

from chaos.cli.app import app, tell
from chaos.run.interrupt import InterruptedRunError

# Importing a command's module registers it.
from chaos.cli import cluster, doctor, init, recovery, load, offline, history, plans, procedures  # isort: skip
from chaos.cli import prove, run, runbook, schema  # isort: skip

__all__ = [
    "app",
    "cluster",
    "doctor",
    "history",
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
    """Run the command line; a user's mistake ends with one sentence and code 2.

    An error of our own ends with a file to send and code 70, never with a verdict's code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # whatever the locale, nothing is lost
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except InterruptedRunError as error:
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        from slo.exit_codes import ExitCode

        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a verdict
        from chaos.cli.crash import kept, unusable
        from chaos.cli.user_errors import exit_code_of
        from slo.exit_codes import ExitCode

        code, why = exit_code_of(error), str(error)
        if code is None:
            why = unusable(error)
            code = ExitCode.USAGE if why else ExitCode.CRASHED
        tell(f"gameday: {why or kept(error)}", error=True)
        sys.exit(code)
