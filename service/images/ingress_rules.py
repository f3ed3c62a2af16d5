"""Which service a request belongs to: Ingress objects as ingress-nginx reads them. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Address = tuple[str, int]

CONTROLLER = "k8s.io/ingress-nginx"
_PREFIX = "nginx.ingress.kubernetes.io/"
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True, slots=True)
class Settings:
    """Annotations that are heeded; sizes in bytes, times in seconds, None: no limit."""

    redirect: bool = True
    requests_per_s: float | None = None
    connections: int | None = None
    body: int | None = 2**20
    connect_s: float = 5.0
    read_s: float = 60.0
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """One path of one Ingress; `service` is namespace/name:port, `backends` its ready endpoints."""

    path: str
    kind: str  # Exact, Prefix or ImplementationSpecific
    ingress: str
    service: str
    backends: tuple[Address, ...]
    settings: Settings

    def matches(self, path: str) -> bool:
        if self.kind == "Exact":
            return path == self.path
        stem = self.path.rstrip("/")
        return path == stem or path.startswith(stem + "/") or not stem

    @property
    def rank(self) -> tuple[bool, int]:
        """What is exact goes before what is long."""
        return self.kind == "Exact", len(self.path)


@dataclass(frozen=True, slots=True)
class Table:
    """Paths by host ("" for any, "*.x" for one label more), and the secret of each TLS host."""

    hosts: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # namespace, name

    def find(self, host: str, path: str) -> Path | None:
        """None is the default backend's answer: 404."""
        name = host.partition(":")[0].lower()
        for server in (name, wildcard(name), ""):
            fitting = [one for one in self.hosts.get(server, ()) if one.matches(path)]
            if fitting:
                return max(fitting, key=lambda one: one.rank)
        return None

    def secret(self, host: str) -> tuple[str, str] | None:
        return self.secrets.get(host) or self.secrets.get(wildcard(host))


def wildcard(host: str) -> str:
    return "*." + host.partition(".")[2]


def ours(ingress: Json, classes: Sequence[Json]) -> bool:
    """By class; an Ingress without one is of the default class."""
    mine = {c["metadata"]["name"] for c in classes if c["spec"].get("controller") == CONTROLLER}
    notes = ingress["metadata"].get("annotations") or {}
    wanted = ingress["spec"].get("ingressClassName") or notes.get("kubernetes.io/ingress.class")
    if wanted:
        return wanted in mine
    return any(
        c["metadata"]["name"] in mine
        and (c["metadata"].get("annotations") or {}).get(
            "ingressclass.kubernetes.io/is-default-class"
        )
        == "true"
        for c in classes
    )


def settings_of(ingress: Json) -> Settings:
    """Annotations that cannot be read count as not given."""
    notes = {
        key.removeprefix(_PREFIX): value
        for key, value in (ingress["metadata"].get("annotations") or {}).items()
        if key.startswith(_PREFIX)
    }
    plain = Settings()

    def number(key: str, default: float | None) -> float | None:
        text = notes.get(key, "")
        return float(text) if re.fullmatch(r"\d+", text) else default

    rps, connections = number("limit-rps", None), number("limit-connections", None)
    return Settings(
        redirect=notes.get("ssl-redirect", "true") != "false",
        requests_per_s=rps or None,
        connections=int(connections) if connections else None,
        body=_size(notes.get("proxy-body-size", ""), plain.body),
        connect_s=number("proxy-connect-timeout", plain.connect_s) or plain.connect_s,
        read_s=number("proxy-read-timeout", plain.read_s) or plain.read_s,
        rewrite=notes.get("rewrite-target"),
    )


def _size(text: str, default: int | None) -> int | None:
    """ "50m"; 0 is no limit."""
    match = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    if match is None:
        return default
    return int(match[1]) * _SIZES[match[2]] or None


def build(
    ingresses: Sequence[Json],
    classes: Sequence[Json],
    services: Sequence[Json],
    slices: Sequence[Json],
) -> Table:
    """The oldest Ingress has a path that several claim."""
    known = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in services}
    hosts: dict[str, list[Path]] = {}
    secrets: dict[str, tuple[str, str]] = {}
    mine = [one for one in ingresses if ours(one, classes)]
    mine.sort(key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
    for ingress in mine:
        home, settings = ingress["metadata"]["namespace"], settings_of(ingress)
        title = f"{home}/{ingress['metadata']['name']}"
        for host, path, kind, service in _claims(ingress["spec"]):
            taken = hosts.setdefault(host, [])
            if any((one.path, one.kind) == (path, kind) for one in taken):
                continue
            port = service.get("port") or {}
            found = known.get((home, service["name"]))
            backends = _endpoints(found, port, slices) if found else ()
            upstream = f"{home}-{service['name']}-{port.get('number') or port.get('name')}"
            taken.append(Path(path, kind, title, upstream, backends, settings))
        for tls in ingress["spec"].get("tls") or []:
            for host in tls.get("hosts") or []:
                secrets.setdefault(host, (home, tls.get("secretName", "")))
    return Table(hosts, secrets)


def _claims(spec: Json) -> Iterator[tuple[str, str, str, Json]]:
    """Host, path, path type and service of each path, the default backend's last."""
    default = (spec.get("defaultBackend") or {}).get("service")
    for rule in spec.get("rules") or []:
        host = rule.get("host", "")
        for one in (rule.get("http") or {}).get("paths") or []:
            if (service := one["backend"].get("service")) is not None:
                yield host, one.get("path") or "/", one.get("pathType", "Prefix"), service
        if default is not None:
            yield host, "/", "Prefix", default
    if default is not None and not spec.get("rules"):
        yield "", "/", "Prefix", default


def _endpoints(service: Json, port: Json, slices: Sequence[Json]) -> tuple[Address, ...]:
    """Ready addresses of a service's port."""
    metadata = service["metadata"]
    wanted = next(
        (
            p
            for p in service["spec"].get("ports") or []
            if port.get("number") == p["port"]
            or (port.get("name") and port["name"] == p.get("name"))
        ),
        None,
    )
    if wanted is None:
        return ()
    found = set()
    for piece in slices:
        labels = piece["metadata"].get("labels") or {}
        if (piece["metadata"]["namespace"], labels.get("kubernetes.io/service-name")) != (
            metadata["namespace"],
            metadata["name"],
        ):
            continue
        numbers = [
            p["port"]
            for p in piece.get("ports") or []
            if p.get("name", "") == wanted.get("name", "")
        ]
        for endpoint in piece.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found |= {(a, number) for a in endpoint["addresses"] for number in numbers}
    return tuple(sorted(found))
