"""Requests from a HAR file, which browsers and proxies write (HTTP Archive 1.2)."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chaos.discovery.call import Call
from chaos.discovery.recorded_secrets import MARKER, RecordedSecrets

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}  # others are no method of a client


def calls(document: Mapping[str, Any], host: str | None) -> list[Call]:
    """Each request once, in the file's order; to `host` alone, else to that of the first one.

    What lets its sender in (cookies, tokens, keys) is hidden: chaos.discovery.recorded_secrets.
    """
    secrets = RecordedSecrets()
    entries = (document.get("log") or {}).get("entries") or []
    found: dict[tuple[str, str], Call] = {}
    for entry in entries:
        request = entry.get("request") or {}
        url = urlsplit(str(request.get("url") or ""))
        netloc = url.netloc.rpartition("@")[2]
        host = host or netloc
        method = str(request.get("method") or "GET").upper()
        if not url.path or netloc != host or method not in METHODS:
            continue
        path = secrets.path(url.path)
        template = MARKER.sub(lambda m: f"{{{m[1].casefold()}}}", path)
        if (method, template) in found:
            continue
        query = secrets.query(url.query)
        found[method, template] = Call(
            method=method,
            path=template,
            example=path + (f"?{query}" if query else ""),
            body=secrets.body(_body(request.get("postData") or {})),
            headers=secrets.headers(request.get("headers") or []),
            secrets=secrets.values,
        )
    return list(found.values())


def _body(posted: Mapping[str, Any]) -> Any:
    """What was sent where it was JSON; forms and files are left out."""
    if "json" not in str(posted.get("mimeType") or ""):
        return None
    try:
        return json.loads(str(posted.get("text") or ""))
    except ValueError:
        return None
