"""One request that users may make: what a locustfile is written from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`path` is a template ("/items/{id}"), `example` the path with values. `body` is JSON or None.

    `ids_from` is the path template of the list whose entries have the ids that this path takes.
    `secrets` are what stands for each `${HAR_NAME}` in the example, the headers and the body; they
    are for asking the service now, and are written nowhere.
    """

    method: str
    path: str
    example: str
    body: Any = None
    ids_from: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """As a Python identifier: "get_items_id"."""
        words = re.findall(r"[a-z0-9]+", self.path.casefold())
        return "_".join((self.method.casefold(), *(words or ["root"])))

    @property
    def safe(self) -> bool:
        """Does it only read?"""
        return self.method == "GET"


_BESIDE = ("/metrics", "/health", "/ready", "/live", "/docs", "/redoc", "/openapi", "/swagger")


def of_users(call: Call) -> bool:
    """Not a probe, a scrape or documentation."""
    return not call.path.casefold().startswith(_BESIDE)
