"""What a pod's spec must fulfil, wherever it stands: k8s.io/kubernetes/pkg/apis/core/validation."""

import json
import re
from collections.abc import Sequence
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from service.cluster.apiserver.errors import Cause

Json = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_HELP = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
    " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used"
    " for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PORTS = range(1, 65536)


def pod_spec(where: str, spec: Json, claims: Sequence[str] = ()) -> list[Cause]:
    """`claims` are names of volumes that a controller will add."""
    listed = spec.get("containers") or []
    if not listed:
        return [(f"{where}.containers", "Required value")]
    volumes = [v.get("name") for v in spec.get("volumes") or []]
    causes = repeated(f"{where}.volumes", "name", volumes)
    seen: list[str] = []
    for field in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(field) or []):
            place = f"{where}.{field}[{number}]"
            causes += _container(place, container, {*filter(None, volumes), *claims})
            if container.get("name") in seen:
                causes.append((f"{place}.name", _duplicate(container["name"])))
            seen.append(container.get("name", ""))
    for number, toleration in enumerate(spec.get("tolerations") or []):
        effect = toleration.get("effect") or ""
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            place = f"{where}.tolerations[{number}].effect"
            causes.append((place, f"Invalid value: {json.dumps(effect)}: {text}"))
    policy = spec.get("restartPolicy", "Always")
    if policy not in _RESTART_POLICIES:
        causes.append((f"{where}.restartPolicy", unsupported(policy, _RESTART_POLICIES)))
    return causes


def _container(where: str, container: Json, volumes: set[str]) -> list[Cause]:
    name = container.get("name")
    causes = [(f"{where}.{f}", "Required value") for f in ("name", "image") if not container.get(f)]
    if name and not (len(name) <= 63 and _LABEL.fullmatch(name)):  # noqa: PLR2004 - RFC 1123
        causes.append((f"{where}.name", f"Invalid value: {json.dumps(name)}: {_LABEL_HELP}"))
    policy = container.get("imagePullPolicy", "Always")
    if policy not in _PULL_POLICIES:
        causes.append((f"{where}.imagePullPolicy", unsupported(policy, _PULL_POLICIES)))
    for number, listed in enumerate(container.get("ports") or []):
        causes += port(f"{where}.ports[{number}].containerPort", listed.get("containerPort"))
    for number, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            causes.append((f"{where}.env[{number}].name", "Required value"))
        if variable.get("value") and variable.get("valueFrom"):
            text = 'Invalid value: "": may not be specified when `value` is not empty'
            causes.append((f"{where}.env[{number}].valueFrom", text))
    paths = [m.get("mountPath") for m in container.get("volumeMounts") or []]
    for number, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            text = f"Not found: {json.dumps(mount.get('name'))}"
            causes.append((f"{where}.volumeMounts[{number}].name", text))
        if mount.get("mountPath") in paths[:number]:
            text = f"Invalid value: {json.dumps(mount['mountPath'])}: must be unique"
            causes.append((f"{where}.volumeMounts[{number}].mountPath", text))
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if kind in container:
            causes += _probe(f"{where}.{kind}", container[kind] or {}, kind)
    return causes + _resources(f"{where}.resources", container.get("resources") or {})


def _probe(where: str, probe: Json, kind: str) -> list[Cause]:
    causes: list[Cause] = []
    handlers = [h for h in _HANDLERS if h in probe]
    if not handlers:
        causes.append((where, "Required value: must specify a handler type"))
    for extra in handlers[1:]:
        text = "Forbidden: may not specify more than 1 handler type"
        causes.append((f"{where}.{extra}", text))
    for field in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold"):
        value = probe.get(field, 1)
        if isinstance(value, int) and value < 0:
            text = f"Invalid value: {value}: must be greater than or equal to 0"
            causes.append((f"{where}.{field}", text))
    if kind != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        text = f"Invalid value: {probe['successThreshold']}: must be 1"
        causes.append((f"{where}.successThreshold", text))
    return causes


def _resources(where: str, resources: Json) -> list[Cause]:
    causes: list[Cause] = []
    amounts: dict[str, dict[str, Any]] = {"limits": {}, "requests": {}}
    for field, found in amounts.items():
        for name, quantity in (resources.get(field) or {}).items():
            try:
                found[name] = parse_quantity(quantity)  # type: ignore[no-untyped-call]
            except ValueError:
                text = "quantities must match the regular expression"
                pattern = "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                message = f"Invalid value: {json.dumps(quantity)}: {text} {pattern}"
                causes.append((f"{where}.{field}[{name}]", message))
                continue
            if found[name] < 0:
                text = f"Invalid value: {json.dumps(quantity)}: must be greater than or equal to 0"
                causes.append((f"{where}.{field}[{name}]", text))
    for name, amount in amounts["requests"].items():
        limit = amounts["limits"].get(name)
        if limit is not None and amount > limit:
            asked, most = resources["requests"][name], resources["limits"][name]
            text = f"must be less than or equal to {name} limit of {most}"
            causes.append((f"{where}.requests", f"Invalid value: {json.dumps(asked)}: {text}"))
    return causes


def port(where: str, number: Any) -> list[Cause]:
    if number is None:
        return [(where, "Required value")]
    if isinstance(number, int) and number not in _PORTS:
        return [(where, f"Invalid value: {number}: must be between 1 and 65535, inclusive")]
    return []


def repeated(where: str, field: str, values: list[Any]) -> list[Cause]:
    return [
        (f"{where}[{number}].{field}", _duplicate(value))
        for number, value in enumerate(values)
        if value in values[:number]
    ]


def _duplicate(value: Any) -> str:
    return f"Duplicate value: {json.dumps(value)}"


def unsupported(value: Any, supported: tuple[str, ...]) -> str:
    listed = ", ".join(json.dumps(s) for s in supported)
    return f"Unsupported value: {json.dumps(value)}: supported values: {listed}"
