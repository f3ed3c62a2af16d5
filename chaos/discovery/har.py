"""Requests from a HAR file, which browsers and proxies write (HTTP Archive 1.2)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chaos.discovery.call import Call


def calls(document: Mapping[str, Any], host: str | None) -> list[Call]:
    """Each request once, in the file's order; to `host` alone if that is named."""
    entries = (document.get("log") or {}).get("entries") or []
    found: dict[tuple[str, str], Call] = {}
    for entry in entries:
        request = entry.get("request") or {}
        url = urlsplit(str(request.get("url") or ""))
        if not url.path or (host is not None and url.netloc != host):
            continue
        method = str(request.get("method") or "GET").upper()
        example = url.path + (f"?{url.query}" if url.query else "")
        found.setdefault((method, url.path), Call(method=method, path=url.path, example=example))
    return list(found.values())
