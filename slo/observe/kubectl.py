"""What an installed kubectl understands, from its own help: `kubectl VERB --help`.

`python -m slo.observe.kubectl PATH` writes the table that comes with the package from a given one.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from slo.runbook.lint.kubectl import TABLE, Kubectl, Option, Options

HELP_TIMEOUT_S = 30
_OPTION = re.compile(r"^ {4}(?:(-\w), )?(?: {4})?--([\w-]+)=(.*):$", re.MULTILINE)
_COMMAND = re.compile(r"^  ([a-z][\w-]*) {2,}\S", re.MULTILINE)
_NESTED = (
    "rollout",
    "set",
    "create",
    "create secret",
    "create service",
    "config",
    "auth",
    "top",
    "certificate",
    "cluster-info",
    "apply",
)


class KubectlError(Exception):
    """kubectl cannot be run; the message is one sentence."""


def installed(binary: Path) -> Kubectl:
    """From the program's own help. Raises KubectlError."""
    verbs: dict[str, Options] = {}

    def read(prefix: tuple[str, ...], text: str) -> None:
        for verb in _COMMAND.findall(text):
            path = (*prefix, verb)
            own = _run(binary, *path, "--help")
            verbs[" ".join(path)] = _options(own)
            if " ".join(path) in _NESTED:
                read(path, own)

    read((), _run(binary, "--help"))
    everywhere = _options(_run(binary, "options"))
    return Kubectl(version_of(binary), everywhere, verbs)


def version_of(binary: Path) -> str:
    """E.g. "v1.37.1". Raises KubectlError."""
    said = _run(binary, "version", "--client", "-o", "json")
    try:
        return str(json.loads(said)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError) as error:
        raise KubectlError(f"{binary} does not tell its version") from error


def _options(text: str) -> Options:
    found = {"--help": Option("help", False), "-h": Option("help", False)}
    for letter, name, default in _OPTION.findall(text):
        option = Option(name, default not in {"true", "false"})
        found[f"--{name}"] = option
        if letter:
            found[letter] = option
    return found


def _run(binary: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [str(binary), *arguments],
            capture_output=True,
            text=True,
            timeout=HELP_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KubectlError(f"{binary} cannot be run: {error}") from error
    if done.returncode:
        raise KubectlError(f"{binary} {' '.join(arguments)} failed: {done.stderr.strip()[:200]}")
    return done.stdout


if __name__ == "__main__":
    TABLE.write_text(installed(Path(sys.argv[1])).dump(), encoding="utf-8")
