"""Where a system's Prometheus is, and how one gets in.

A secret is never written into the file: it is read from an environment variable or from a file.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from slo.documents import Duration, Part


class SecretError(Exception):
    """A secret cannot be read; the message is one sentence that does not have it."""


class SecretRef(Part):
    """`{env: NAME}` or `{file: PATH}`; a file's line end is no part of the secret."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("name either 'env' or 'file', where the secret is read from")
        return self

    def read(self, folder: Path) -> str:
        """The secret; a relative `file` is looked for in `folder`. Raises SecretError."""
        if self.env is not None:
            if not os.environ.get(self.env):
                raise SecretError(f"the environment variable {self.env} is not set")
            return os.environ[self.env]
        path = folder / (self.file or "")
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"the secret in {path} cannot be read: {error}") from error


class BasicAuth(Part):
    user: str
    password: SecretRef


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


class PrometheusAccess(Part):
    """A Service, read through the Kubernetes API, or an address.

    `namespace` is the target's unless it is named; `path` is a prefix before /api/v1, as Mimir and
    Prometheus behind a reverse proxy have one. `headers` are sent as they are, `secret_headers`
    have their values from elsewhere. `ca`, `cert` and `key` are PEM files. `selector` is what
    distinguishes this system's series from all others. `rules` is the ConfigMap, with its key, that
    Prometheus has its rules from ("prometheus-config/alerts.yml"): where gameday may change it,
    alerts are tried live.
    """

    service: str | None = None
    namespace: str | None = None
    port: int = Field(default=9090, ge=1, le=65535)
    url: str | None = Field(default=None, pattern=r"^https?://")
    path: str = Field(default="", pattern=r"^(/.*)?$")
    headers: dict[str, str] = Field(default_factory=dict)
    secret_headers: dict[str, SecretRef] = Field(default_factory=dict)
    bearer_token: SecretRef | None = None
    basic: BasicAuth | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    scrape_interval: Annotated[Duration, AfterValidator(_positive)] = timedelta(seconds=15)
    selector: str = 'namespace="{namespace}"'
    rules: str | None = Field(default=None, pattern="^[^/]+/[^/]+$")

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.service is None) == (self.url is None):
            raise ValueError("name either 'service' or 'url' of Prometheus")
        if self.bearer_token is not None and self.basic is not None:
            raise ValueError("name either 'bearer_token' or 'basic'")
        if (self.cert is None) != (self.key is None):
            raise ValueError("'cert' and 'key' go together")
        if self.url is not None and self.namespace is not None:
            raise ValueError("'namespace' is that of a 'service'")
        return self
