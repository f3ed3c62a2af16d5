"""The kubectl commands of a runbook, as they stand there."""

import re
import subprocess
from collections.abc import Iterator

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"\bkubectl .+$", re.MULTILINE)


def kubectl_commands(markdown: str) -> list[str]:
    """Whole shell statements of its bash blocks, and what checklists name in passing."""
    found = []
    for language, text in _FENCE.findall(markdown):
        if language == "bash":
            found += [s for s in statements(text) if "kubectl " in s]
        else:
            found += [line.strip() for line in _INLINE.findall(text)]
    return found


def statements(script: str) -> Iterator[str]:
    """Each statement with all its lines: until bash finds it complete. Comments are left out."""
    pending = ""
    for line in script.splitlines():
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        pending += line + "\n"
        if not line.endswith("\\") and _is_complete(pending):
            yield pending.strip()
            pending = ""
    if pending:
        raise ValueError(f"bash does not understand: {pending}")


def _is_complete(text: str) -> bool:
    command = ["bash", "-n", "-c", text]
    return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
