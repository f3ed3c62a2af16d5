"""What the service reads from its environment, checked once at start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MEBIBYTE = 1024 * 1024


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


class Settings(BaseModel):
    """Field names are the environment's names in lower case. Times in seconds, sizes in bytes.

    The time limits add up to the bound that the README states: no request waits for its
    dependencies longer than 2 * cache_timeout + graph_timeout, and for an index search no longer
    than search_timeout.
    """

    model_config = ConfigDict(frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    faiss_index_path: Path = Path("/data/faiss/main.index")
    faiss_nprobe: int | None = Field(default=None, ge=1)  # None: as the index file says
    search_threads: int = Field(default=2, ge=1, le=64)
    search_timeout: float = Field(default=2.0, gt=0)

    redis_url: str = "redis://127.0.0.1:6379/0"
    cache_timeout: float = Field(default=0.25, gt=0)
    cache_pool_size: int = Field(default=32, ge=1)
    cache_ttl: int = Field(default=30, ge=1)

    neo4j_uri: str = "bolt://127.0.0.1:7687"
    neo4j_user: str = "neo4j"
    neo4j_password: str = ""  # empty: no authentication
    neo4j_database: str = "neo4j"
    graph_timeout: float = Field(default=1.0, gt=0)
    graph_retry: float = Field(default=0.5, ge=0)  # within graph_timeout
    graph_pool_size: int = Field(default=16, ge=1)

    poll_interval: float = Field(default=1.0, gt=0)
    max_body_bytes: int = Field(default=50 * MEBIBYTE, ge=1)  # the ingress's limit, SYSTEM.md
    drain_seconds: float = Field(default=1.0, ge=0)
    shutdown_seconds: int = Field(default=20, ge=1)  # below terminationGracePeriodSeconds (30)

    release_delay_ms: float = Field(default=0, ge=0, le=60_000)  # release.py: a bad release
    release_error_rate: float = Field(default=0, ge=0, le=1)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings; HOST falls back to POD_IP, and an empty variable counts as unset.

        Raises SettingsError naming the variable and what is wrong with it.
        """
        given = {
            name: environment[name.upper()]
            for name in cls.model_fields
            if environment.get(name.upper())
        }
        if "host" not in given and environment.get("POD_IP"):
            given["host"] = environment["POD_IP"]
        if "log_level" in given:
            given["log_level"] = given["log_level"].upper()
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).upper()
            raise SettingsError(f"{name}={first['input']!r}: {first['msg']}") from error
