"""Commands and options that kubectl gained, by the version that brought them.

Sources: Kubernetes' changelogs. The table of options in kubectl.json is that of the newest version.
"""

from slo.runbook.lint.kubectl import Call
from slo.runbook.lint.versions import Version

_VERBS: dict[str, Version] = {
    "auth whoami": (1, 27),
    "create ingress": (1, 19),
    "create token": (1, 24),
    "debug": (1, 20),
    "events": (1, 26),
}
_OPTIONS: dict[tuple[str, str], Version] = {
    ("apply", "prune-allowlist"): (1, 26),
    ("debug", "custom"): (1, 31),
    ("delete", "interactive"): (1, 27),
    ("edit", "subresource"): (1, 24),
    ("explain", "output"): (1, 27),
    ("get", "subresource"): (1, 24),
    ("logs", "all-pods"): (1, 32),
    ("patch", "subresource"): (1, 24),
}


def came_with(call: Call) -> tuple[str, Version] | None:
    """What of the call is the newest, and the version that has it first."""
    path = f"{call.verb} {call.sub}".strip()
    found = [(f"kubectl {path}", _VERBS[path])] if path in _VERBS else []
    found += [
        (f"kubectl {path} --{option}", _OPTIONS[(path, option)])
        for option in call.options
        if (path, option) in _OPTIONS
    ]
    return max(found, key=lambda f: f[1], default=None)
