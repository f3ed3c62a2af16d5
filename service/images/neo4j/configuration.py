"""From a container's environment to neo4j.conf, by the rules of the official image.

NEO4J_server_memory_heap_max__size=256m is the setting server.memory.heap.max_size=256m: one
underscore is a dot, two are an underscore. Whether Neo4j knows the setting is Neo4j's to say.
Source: docker-entrypoint.sh of the image neo4j:5.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

PREFIX = "NEO4J_"
# Variables for the image itself.
_OWN = {
    *("NEO4J_ACCEPT_LICENSE_AGREEMENT", "NEO4J_AUTH", "NEO4J_AUTH_PATH", "NEO4J_CONF"),
    "NEO4J_DEBUG",
    *("NEO4J_DEPRECATION_WARNING", "NEO4J_EDITION", "NEO4J_HOME", "NEO4J_JVM", "NEO4J_PLUGINS"),
    *("NEO4J_SHA256", "NEO4J_TARBALL"),
}
_FILE = "_FILE"
_AUTH = re.compile(r"([^/]+)/([^/]+)/?(true)?", re.IGNORECASE)
_LISTEN = "listen_address"
_EVERYWHERE = re.compile(r"^(?:0\.0\.0\.0|\[?::\]?)(?=$|:\d+$)")


class ConfigurationError(Exception):
    """The environment asks for what the image does not do; the message is the official image's."""


def settings(
    environment: Mapping[str, str], *, address: str, data: Path, written: str = ""
) -> dict[str, str]:
    """The lines of neo4j.conf.

    `address` is the container's own: "all addresses" means this one, as a container of the
    embedded cluster shares its machine's network. `data` is the folder of the databases, `written`
    a neo4j.conf that was mounted at /conf, which the environment overrides.
    """
    defaults = {
        "server.memory.pagecache.size": "512M",
        "server.default_listen_address": "0.0.0.0",  # noqa: S104  (replaced below)
        "server.directories.data": str(data),
        "dbms.usage_report.enabled": "false",
    }
    mounted = {
        name.strip(): value.strip()
        for name, separator, value in (line.partition("=") for line in written.splitlines())
        if separator and not name.lstrip().startswith("#")
    }
    given = {
        name.removeprefix(PREFIX).replace("_", ".").replace("..", "_"): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in _OWN and not name.endswith(_FILE) and value
    }
    if environment.get("NEO4J_AUTH") == "none":
        given["dbms.security.auth_enabled"] = "false"
    named = {k: v for k, v in given.items() if not k[:1].isdigit()}
    return {
        name: _EVERYWHERE.sub(address, value) if name.endswith(_LISTEN) else value
        for name, value in (defaults | mounted | named).items()
    }


def with_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with NEO4J_X_FILE read into NEO4J_X. Raises ConfigurationError."""
    found = dict(environment)
    for name, place in environment.items():
        if name.startswith(PREFIX) and name.endswith(_FILE):
            try:
                found[name.removesuffix(_FILE)] = Path(place).read_text().rstrip("\n")
            except OSError as error:
                raise ConfigurationError(
                    f"The secret file '{place}' does not exist or is not readable. Make sure you"
                    " have correctly configured docker secrets."
                ) from error
    return found


def initial_password(environment: Mapping[str, str]) -> list[str]:
    """Arguments for `neo4j-admin dbms set-initial-password`, none where NEO4J_AUTH asks for none.

    Raises ConfigurationError.
    """
    auth = environment.get("NEO4J_AUTH", "")
    if auth in ("", "none"):
        return []
    match = _AUTH.fullmatch(auth)
    if match is None:
        raise ConfigurationError(f"Invalid value for NEO4J_AUTH: '{auth}'")
    user, password, reset = match.groups()
    if password == "neo4j":
        raise ConfigurationError(
            "Invalid value for password. It cannot be 'neo4j', which is the default."
        )
    if user != "neo4j":
        raise ConfigurationError("Invalid admin username, it must be neo4j.")
    return [password, *(["--require-password-change"] if reset else [])]


def jvm_options(settings: Mapping[str, str]) -> list[str]:
    """What the launcher `neo4j console` makes of settings that are the JVM's."""
    sizes = {"initial_size": "-Xms", "max_size": "-Xmx"}
    found = [
        flag + settings[f"server.memory.heap.{name}"]
        for name, flag in sizes.items()
        if f"server.memory.heap.{name}" in settings
    ]
    return [*found, *shlex.split(settings.get("server.jvm.additional", ""))]
