"""What a written object must fulfil, in the words people know from the real API server."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from service.cluster.apiserver.errors import Cause, StatusError, invalid
from service.cluster.apiserver.immutable import changed
from service.cluster.apiserver.kinds import Kind
from service.cluster.apiserver.pod_validation import pod_spec, port, unsupported
from service.cluster.apiserver.selectors import selector_of

Json = dict[str, Any]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used"
    " for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_HELP = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
    " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used"
    " for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SERVICE_HELP = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an"
    " alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',"
    " regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_NAMES = {
    "Namespace": (_LABEL, _LABEL_HELP, 63),
    "Service": (_SERVICE, _SERVICE_HELP, 63),
}
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}  # e.g. system:node
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_VALUE_HELP = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or"
    " '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_CONFIG_KEY_HELP = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',"
    "  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_MAX_LABEL = 63
_NODE_PORTS = range(30000, 32768)


def validate(kind: Kind, obj: Json, before: Json | None) -> None:
    """Raises StatusError 422. `before` is the stored object, None for a new one."""
    name = obj["metadata"].get("name", "")
    causes = _metadata(kind, obj["metadata"])
    if not kind.custom:
        check = _CHECKS.get(kind.kind)
        if check is not None:
            causes += check(obj)
        if before is not None:
            causes += changed(obj, before)
    if causes:
        raise invalid(kind.kind, kind.group, name, causes)


def _metadata(kind: Kind, metadata: Json) -> list[Cause]:
    causes, name = [], metadata.get("name", "")
    pattern, text, most = _NAMES.get(kind.kind, (_SUBDOMAIN, _SUBDOMAIN_HELP, 253))
    if not name:
        causes.append(("metadata.name", "Required value: name or generateName is required"))
    elif kind.kind not in _FREE_NAMES and not (len(name) <= most and pattern.fullmatch(name)):
        causes.append(("metadata.name", f"Invalid value: {json.dumps(name)}: {text}"))
    return causes + _labels("metadata.labels", metadata.get("labels"))


def _labels(where: str, labels: Json | None) -> list[Cause]:
    return [
        (where, f"Invalid value: {json.dumps(value)}: {_LABEL_VALUE_HELP}")
        for value in (labels or {}).values()
        if not (len(str(value)) <= _MAX_LABEL and _LABEL_VALUE.fullmatch(str(value)))
    ]


def _workload(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    causes = []
    if not spec.get("selector"):
        causes.append(("spec.selector", "Required value"))
    elif not selector_of(spec["selector"])({"metadata": {"labels": labels}}):
        text = f"Invalid value: {json.dumps(labels)}: `selector` does not match template `labels`"
        causes.append(("spec.template.metadata.labels", text))
    causes += _labels("spec.template.metadata.labels", labels)
    for field in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        causes += _not_negative(spec, field)
    claims = [c["metadata"].get("name", "") for c in spec.get("volumeClaimTemplates") or []]
    return causes + _template(template, ("Always",), claims)


def _deployment(obj: Json) -> list[Cause]:
    strategy = (obj.get("spec") or {}).get("strategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate") or {}
    causes: list[Cause] = []
    if kind == "Recreate" and rolling:
        text = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        causes.append(("spec.strategy.rollingUpdate", text))
    elif kind not in ("Recreate", "RollingUpdate"):
        causes.append(("spec.strategy.type", unsupported(kind, ("Recreate", "RollingUpdate"))))
    if {str(rolling.get(f)).rstrip("%") for f in ("maxSurge", "maxUnavailable")} == {"0"}:
        text = "may not be 0 when `maxSurge` is 0"
        where = "spec.strategy.rollingUpdate.maxUnavailable"
        causes.append((where, f"Invalid value: {json.dumps(rolling['maxUnavailable'])}: {text}"))
    return _workload(obj) + causes


def _job(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    counts = ("parallelism", "completions", "backoffLimit")
    causes = [cause for field in counts for cause in _not_negative(spec, field)]
    return causes + _template(spec.get("template") or {}, ("OnFailure", "Never"))


def _cron_job(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    if not spec.get("schedule"):
        causes.append(("spec.schedule", "Required value"))
    job = _job({"spec": (spec.get("jobTemplate") or {}).get("spec")})
    return causes + [(f"spec.jobTemplate.{where}", text) for where, text in job]


def _template(template: Json, policies: tuple[str, ...], claims: Sequence[str] = ()) -> list[Cause]:
    spec = template.get("spec") or {}
    causes = pod_spec("spec.template.spec", spec, claims)
    policy = spec.get("restartPolicy")
    if policy not in policies:
        text = unsupported(policy, policies)
        if len(policies) > 1:
            text = 'Required value: valid values: "OnFailure", "Never"'
        causes.append(("spec.template.spec.restartPolicy", text))
    return causes


def _pod(obj: Json) -> list[Cause]:
    return pod_spec("spec", obj.get("spec") or {})


def _service(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    ports = spec.get("ports") or []
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec.get("type") not in kinds:
        causes.append(("spec.type", unsupported(spec.get("type"), kinds)))
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        causes.append(("spec.ports", "Required value"))
    for number, listed in enumerate(ports):
        where = f"spec.ports[{number}]"
        causes += port(f"{where}.port", listed.get("port"))
        if len(ports) > 1 and not listed.get("name"):
            causes.append((f"{where}.name", "Required value"))
        node_port = listed.get("nodePort")
        if node_port and node_port not in _NODE_PORTS:
            text = (
                "provided port is not in the valid range. The range of valid ports is 30000-32767"
            )
            causes.append((f"{where}.nodePort", f"Invalid value: {node_port}: {text}"))
    return causes


def _not_negative(spec: Json, field: str) -> list[Cause]:
    value = spec.get(field)
    if (isinstance(value, int) and value >= 0) or value is None:
        return []
    return [(f"spec.{field}", f"Invalid value: {value}: must be greater than or equal to 0")]


def _data(obj: Json) -> list[Cause]:
    return [
        (f"{field}[{key}]", f"Invalid value: {json.dumps(key)}: {_CONFIG_KEY_HELP}")
        for field in ("data", "binaryData")
        for key in obj.get(field) or {}
        if not _CONFIG_KEY.fullmatch(key)
    ]


def _autoscaler(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    causes: list[Cause] = []
    if not most or most < 1:
        text = f"Invalid value: {most or 0}: must be greater than 0"
        causes.append(("spec.maxReplicas", text))
    elif most < least:
        text = f"Invalid value: {most}: must be greater than or equal to `minReplicas`"
        causes.append(("spec.maxReplicas", text))
    target = spec.get("scaleTargetRef") or {}
    causes += [
        (f"spec.scaleTargetRef.{f}", "Required value")
        for f in ("kind", "name")
        if not target.get(f)
    ]
    return causes


def _ingress(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        text = "Invalid value: null: either `defaultBackend` or `rules` must be specified"
        return [("spec", text)]
    causes: list[Cause] = []
    kinds = ("Exact", "ImplementationSpecific", "Prefix")
    for n, rule in enumerate(spec.get("rules") or []):
        for m, path in enumerate((rule.get("http") or {}).get("paths") or []):
            where = f"spec.rules[{n}].http.paths[{m}]"
            if not path.get("pathType"):
                causes.append((f"{where}.pathType", "Required value: pathType must be specified"))
            elif path["pathType"] not in kinds:
                causes.append((f"{where}.pathType", unsupported(path["pathType"], kinds)))
            elif path["pathType"] != "ImplementationSpecific" and path.get("path", "")[:1] != "/":
                text = "must be an absolute path"
                shown = json.dumps(path.get("path", ""))
                causes.append((f"{where}.path", f"Invalid value: {shown}: {text}"))
    return causes


def _budget(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        text = "minAvailable and maxUnavailable cannot be both set"
        return [("spec", f"Invalid value: {json.dumps(spec)}: {text}")]
    return []


def _claim(obj: Json) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    if not spec.get("accessModes"):
        causes.append(("spec.accessModes", "Required value: at least 1 access mode is required"))
    if not ((spec.get("resources") or {}).get("requests") or {}).get("storage"):
        causes.append(("spec.resources[storage]", "Required value"))
    return causes


def _role_binding(obj: Json) -> list[Cause]:
    reference = obj.get("roleRef") or {}
    causes: list[Cause] = []
    if reference.get("kind") not in ("Role", "ClusterRole"):
        text = unsupported(reference.get("kind", ""), ("ClusterRole", "Role"))
        causes.append(("roleRef.kind", text))
    if not reference.get("name"):
        causes.append(("roleRef.name", "Required value"))
    return causes


_CHECKS: dict[str, Callable[[Json], list[Cause]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "ConfigMap": _data,
    "Secret": _data,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "PodDisruptionBudget": _budget,
    "PersistentVolumeClaim": _claim,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
}


def check_unknown_fields(obj: Json) -> None:
    """Refuse fields that the kind does not have (fieldValidation=Strict).

    The official client's models know the fields; they are imported on first use, because that
    takes half a second. Kinds without a model are accepted as they are. Raises StatusError 400.
    """
    from service.cluster.apiserver.schema import unknown_fields

    unknown = unknown_fields(obj)
    if unknown:
        listed = ", ".join(f'unknown field "{field}"' for field in unknown)
        raise StatusError(400, "BadRequest", f"strict decoding error: {listed}")


def check_types(obj: Json) -> None:
    """Refuse values of the wrong JSON type, as a decoder would. Raises StatusError 400."""
    from service.cluster.apiserver.schema import wrong_types

    found = wrong_types(obj)
    if found:
        path, actual, wanted = found[0]
        version, kind = obj["apiVersion"].rpartition("/")[2], obj["kind"]
        raise StatusError(
            400,
            "BadRequest",
            f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal'
            f" {actual} into Go struct field {path} of type {wanted}",
        )
