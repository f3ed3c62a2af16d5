"""Requests from a HAR file, which browsers and proxies write (HTTP Archive 1.2)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chaos.discovery.call import Call

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}  # others are no method of a client


def calls(document: Mapping[str, Any], host: str | None) -> list[Call]:
    """Each request once, in the file's order; to `host` alone, else to that of the first one."""
    entries = (document.get("log") or {}).get("entries") or []
    found: dict[tuple[str, str], Call] = {}
    for entry in entries:
        request = entry.get("request") or {}
        url = urlsplit(str(request.get("url") or ""))
        host = host or url.netloc
        method = str(request.get("method") or "GET").upper()
        if not url.path or url.netloc != host or method not in METHODS:
            continue
        example = url.path + (f"?{url.query}" if url.query else "")
        found.setdefault((method, url.path), Call(method=method, path=url.path, example=example))
    return list(found.values())
