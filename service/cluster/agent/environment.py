"""What a container's process sees: its environment, command, and names of services."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from service.cluster.agent import downward
from service.cluster.agent.downward import Facts

Json = dict[str, Any]
Lookup = Callable[[str, str], Json | None]  # (kind, name) -> the object, with its kind

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


class MissingReferenceError(Exception):
    """A ConfigMap, Secret or key that the pod needs is not there (yet)."""


def expand(text: str, known: Mapping[str, str]) -> str:
    """$(NAME) for what is known; $$ for a dollar sign; the rest stays as it is."""

    def replace(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return known.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def service_variables(services: list[Json], namespace: str) -> dict[str, str]:
    """NAME_SERVICE_HOST and _PORT of the namespace's services, as the kubelet sets them."""
    found: dict[str, str] = {}
    for service in services:
        spec, metadata = service["spec"], service["metadata"]
        address = spec.get("clusterIP")
        if metadata["namespace"] != namespace or address in (None, "", "None"):
            continue
        name = metadata["name"].upper().replace("-", "_")
        found[f"{name}_SERVICE_HOST"] = address
        for number, port in enumerate(spec.get("ports") or []):
            if number == 0:
                found[f"{name}_SERVICE_PORT"] = str(port["port"])
            if port.get("name"):
                title = port["name"].upper().replace("-", "_")
                found[f"{name}_SERVICE_PORT_{title}"] = str(port["port"])
    return found


def container_env(
    container: Json, pod: Json, facts: Facts, base: dict[str, str], lookup: Lookup
) -> dict[str, str]:
    """The process's environment, in the kubelet's order. Raises MissingReferenceError."""
    env = dict(base)
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if field in source:
                values = _values(kind, source[field], lookup)
                env.update({prefix + k: v for k, v in values.items()})
    for variable in container.get("env") or []:
        if "valueFrom" in variable:
            value = _value_from(variable["valueFrom"], container, pod, facts, lookup)
            if value is not None:
                env[variable["name"]] = value
        else:
            env[variable["name"]] = expand(variable.get("value") or "", env)
    return env


def _values(kind: str, reference: Json, lookup: Lookup) -> dict[str, str]:
    obj = lookup(kind, reference["name"])
    if obj is None:
        if reference.get("optional"):
            return {}
        raise MissingReferenceError(f'{kind.lower()} "{reference["name"]}" not found')
    return text_of(obj)


def text_of(obj: Json) -> dict[str, str]:
    """The data of a ConfigMap or Secret as text."""
    data = obj.get("data") or {}
    if obj["kind"] == "Secret":
        return {k: base64.b64decode(v).decode(errors="replace") for k, v in data.items()}
    return dict(data)


def _value_from(
    source: Json, container: Json, pod: Json, facts: Facts, lookup: Lookup
) -> str | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in source:
            reference = source[field]
            values = _values(kind, reference, lookup)
            if reference["key"] in values:
                return values[reference["key"]]
            if reference.get("optional"):
                return None
            place = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise MissingReferenceError(f"couldn't find key {reference['key']} in {kind} {place}")
    if "fieldRef" in source:
        return downward.field(source["fieldRef"]["fieldPath"], pod, facts)
    if "resourceFieldRef" in source:
        return downward.resource(source["resourceFieldRef"], container, facts)
    return None


def hosts(services: list[Json], pods: list[Json], pod: Json, pod_ip: str) -> str:
    """An /etc/hosts for `pod` in which the cluster's DNS names resolve."""
    metadata = pod["metadata"]
    lines = ["127.0.0.1 localhost", f"{pod_ip} {metadata['name']}"]
    for address, names in host_names(services, pods, metadata["namespace"]).items():
        lines += [f"{address} {name}" for name in names]
    return "\n".join(lines) + "\n"


def host_names(services: list[Json], pods: list[Json], home: str) -> dict[str, list[str]]:
    """DNS names by address: of services, of the pods behind headless ones, of aliases.

    Names without a namespace are those of the namespace `home`.
    """
    found: dict[str, list[str]] = {}
    aliases = []
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        names = _names(metadata["name"], metadata["namespace"], home)
        address = spec.get("clusterIP")
        if spec.get("type") == "ExternalName":
            aliases.append((spec.get("externalName", "").rstrip("."), names))
        elif address == "None":
            for pod in pods:
                if _stands_behind(pod, service):
                    own = found.setdefault(pod["status"]["podIP"], [])
                    own += names + _own_names(pod, metadata["name"], home)
        elif address:
            found.setdefault(address, []).extend(names)
    for target, names in aliases:
        for address in [a for a, known in found.items() if target in (a, *known)]:
            found[address].extend(names)
    return found


def _stands_behind(pod: Json, service: Json) -> bool:
    """Whether a headless service names the pod: selected, with an address, ready if it must be."""
    metadata, spec, status = pod["metadata"], service["spec"], pod.get("status") or {}
    wanted, conditions = spec.get("selector") or {}, status.get("conditions") or []
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return bool(
        wanted
        and metadata["namespace"] == service["metadata"]["namespace"]
        and wanted.items() <= (metadata.get("labels") or {}).items()
        and status.get("podIP")
        and status.get("phase") not in ("Succeeded", "Failed")
        and (
            spec.get("publishNotReadyAddresses")
            or (ready and not metadata.get("deletionTimestamp"))
        )
    )


def _own_names(pod: Json, service: str, home: str) -> list[str]:
    """HOSTNAME.SERVICE of a pod that asks for it by spec.subdomain."""
    if pod["spec"].get("subdomain") != service:
        return []
    name = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return _names(f"{name}.{service}", pod["metadata"]["namespace"], home)


def _names(name: str, namespace: str, home: str) -> list[str]:
    full = f"{name}.{namespace}"
    names = [f"{full}.svc.cluster.local", f"{full}.svc", full]
    return [*names, name] if namespace == home else names
