"""What the door to the API server does not let a step ask for, whatever its rights. Pure.

The account of the steps may do everything in its namespace that an operator does. These are the
ways from there to more rights, to the machine below, or to what gameday itself keeps there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.undo.objects import BEFORE

_TOKEN = re.compile(r"/serviceaccounts/[^/]+/token/?$")
_OWN = re.compile(rf"/(?:secrets/{BEFORE}|leases/gameday)(?:/|$)")
_STREAMS = re.compile(r"/pods/[^/]+/(?:exec|attach|portforward)$")
_ABOUT_RIGHTS = re.compile(r"/apis/authorization\.k8s\.io/v1/selfsubject(?:access|rules)reviews")
_REACHING = {
    "hostPath": "mounts a folder of the node",
    "hostNetwork": "uses the node's network",
    "hostPID": "sees the node's processes",
    "hostIPC": "shares the node's memory",
    "privileged": "has the node's rights",
    "capabilities": "has more of the kernel's capabilities than the baseline of Kubernetes",
}
# Kubernetes, "Pod Security Standards", baseline: what a container may add.
_BASELINE = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
DEEPEST = 200
"""Of a body: a manifest is nested some 20 deep."""


def objection(method: str, path: str, headers: Mapping[str, str]) -> str:
    """Why a request is not passed on, whatever its body; "" when it is. `path` has no query.

    Whatever asks for another protocol is passed on unread, so that only streams may.
    """
    acts = any(name.lower().startswith("impersonate-") for name in headers)
    if acts and not _ABOUT_RIGHTS.fullmatch(path):
        return "a step acts as its own account, and as nobody else"
    if any(name.lower() == "upgrade" for name in headers) and not _STREAMS.search(path):
        return "only exec, attach and port-forward go on in another protocol"
    if _TOKEN.search(path):
        return "a step gets no token of a service account"
    if ".." in path or "%" in path or "//" in path:
        return "the path of the request is not written plainly"
    if method not in {"GET", "HEAD"} and _OWN.search(path):
        return "what gameday keeps here is changed by gameday alone"
    return ""


def reaching(body: Any, there: Any = None) -> str:
    """Why an object or a patch is not passed on; "" when it is. `there` is what it changes.

    What the object reaches already it may go on reaching.
    """
    try:
        known = set(_reaching(there, 0))
        keys = {key for key, value in _reaching(body, 0) if (key, value) not in known}
    except RecursionError:
        return f"the body of the request is nested more than {DEEPEST} deep"
    told = " and ".join(f"{_REACHING[key]} ({key})" for key in sorted(keys))
    return f"a pod that {told} reaches the machine below the cluster" if keys else ""


def _reaching(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Fields and their values, as JSON."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _REACHING and (asked := _asked(key, inner)):
                yield key, asked
            # An operation of a JSON patch names the field in its path.
            if key == "path" and isinstance(inner, str):
                given = value.get("value", True)
                parts = set(inner.split("/"))
                for last in parts & set(_REACHING) if "drop" not in parts else ():
                    if value.get("op") != "remove" and (asked := _asked(last, given)):
                        yield last, asked
            yield from _reaching(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _reaching(inner, depth + 1)


def _asked(key: str, value: Any) -> str:
    """What a field asks for, as JSON; "" where that is nothing."""
    if key == "capabilities":
        added = value.get("add") if isinstance(value, dict) else value
        names = added if isinstance(added, list) else [added]
        plain = {str(n).upper().removeprefix("CAP_") for n in names if n not in (None, True)}
        value = sorted(plain - _BASELINE) or None
    return "" if value in (None, False) else json.dumps(value, sort_keys=True)
