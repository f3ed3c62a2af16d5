"""Server-side tables: the columns that `kubectl get` shows.

Each kind has its columns (name, priority; priority 1 only with `-o wide`) and a function from an
object to its cells. Columns follow k8s.io/kubernetes/pkg/printers/internalversion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from service.cluster.apiserver.json_path import printer_path
from service.cluster.apiserver.kinds import Column, Kind

Json = dict[str, Any]
Cells = list[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """`columns` ends in "*" for the wide ones; `cells` gives one value for each."""

    columns: tuple[str, ...]
    cells: Callable[[Json], Cells]


def age(stamp: str | None) -> str:
    """As kubectl prints ages: 45s, 3m12s, 5h, 2d3h."""
    if not stamp:
        return "<unknown>"
    then = datetime.fromisoformat(stamp)
    return human_duration((datetime.now(UTC) - then).total_seconds())


def human_duration(seconds: float) -> str:
    """k8s.io/apimachinery/pkg/util/duration.HumanDuration."""
    s = max(0, int(seconds))
    for limit, unit, part in _AGE_STEPS:
        if s < limit:
            rest = s % unit // part if part else 0
            return f"{s // unit}{_UNITS[unit]}" + (f"{rest}{_UNITS[part]}" if rest else "")
    return f"{s // 86400}d"


_UNITS = {1: "s", 60: "m", 3600: "h", 86400: "d"}
_AGE_STEPS = (  # below this many seconds: whole units, and the rest in parts (0: none)
    (120, 1, 0),
    (600, 60, 1),
    (10_800, 60, 0),
    (28_800, 3600, 60),
    (172_800, 3600, 0),
    (691_200, 86400, 3600),
)


def _born(obj: Json) -> str:
    return age(obj["metadata"].get("creationTimestamp"))


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


def _get(obj: Any, *path: str, default: Any = None) -> Any:
    for step in path:
        obj = obj.get(step) if isinstance(obj, dict) else None
    return default if obj is None else obj


def _selector(spec: Json | None) -> str:
    labels = _get(spec or {}, "matchLabels", default={})
    return ",".join(f"{k}={v}" for k, v in labels.items()) or "<none>"


def _images(obj: Json) -> tuple[str, str]:
    containers = _get(obj, "spec", "template", "spec", "containers", default=[])
    return ",".join(c["name"] for c in containers), ",".join(c["image"] for c in containers)


def pod_status(pod: Json) -> tuple[str, str, str]:
    """(ready "1/2", status, restarts) as the STATUS column has them."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    states = status.get("containerStatuses") or []
    starting = _init_reason(pod)
    beside = [s for s in status.get("initContainerStatuses") or [] if s["name"] in _sidecars(pod)]
    ready = sum(1 for s in (*states, *beside) if s.get("ready"))
    restarts, last = 0, ""
    for state in states:
        restarts += state.get("restartCount", 0)
        ended = _get(state, "lastState", "terminated", "finishedAt")
        last = max(last, ended or "")
    running = False
    if starting is not None:
        reason = starting
    else:
        for state in reversed(states):
            waiting = _get(state, "state", "waiting", "reason")
            ended = _get(state, "state", "terminated")
            if waiting:
                reason = waiting
            elif ended is not None:
                signal = f"Signal:{ended['signal']}" if ended.get("signal") else ""
                reason = ended.get("reason") or signal or f"ExitCode:{ended.get('exitCode')}"
            else:
                running = running or bool(state.get("ready"))
        if reason == "Completed" and any(_get(s, "state", "running") for s in states):
            reason = "Running" if running else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        reason = "Terminating"
    total = len(_get(pod, "spec", "containers", default=[])) + len(_sidecars(pod))
    text = f"{restarts} ({age(last)} ago)" if restarts and last else str(restarts)
    return f"{ready}/{total}", reason, text


def _sidecars(pod: Json) -> set[str]:
    listed = _get(pod, "spec", "initContainers", default=[])
    return {c["name"] for c in listed if c.get("restartPolicy") == "Always"}


def _init_reason(pod: Json) -> str | None:
    states = _get(pod, "status", "initContainerStatuses", default=[])
    total = len(_get(pod, "spec", "initContainers", default=[]))
    for number, state in enumerate(states):
        ended = _get(state, "state", "terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if state["name"] in _sidecars(pod) and state.get("started"):
            continue
        if ended is not None:
            return f"Init:{ended.get('reason') or 'Error'}"
        waiting = _get(state, "state", "waiting", "reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{number}/{total}"
    return None


def _pod(o: Json) -> Cells:
    ready, status, restarts = pod_status(o)
    ip, node = _get(o, "status", "podIP"), _get(o, "spec", "nodeName")
    none = "<none>"
    return [_name(o), ready, status, restarts, _born(o), ip or none, node or none, none, none]


def _deployment(o: Json) -> Cells:
    status = o.get("status") or {}
    return [
        _name(o),
        f"{status.get('readyReplicas', 0)}/{_get(o, 'spec', 'replicas', default=0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _born(o),
        *_images(o),
        _selector(_get(o, "spec", "selector")),
    ]


def _replica_set(o: Json) -> Cells:
    status = o.get("status") or {}
    return [
        _name(o),
        _get(o, "spec", "replicas", default=0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _born(o),
        *_images(o),
        _selector(_get(o, "spec", "selector")),
    ]


def _stateful_set(o: Json) -> Cells:
    ready = _get(o, "status", "readyReplicas", default=0)
    return [_name(o), f"{ready}/{_get(o, 'spec', 'replicas', default=0)}", _born(o), *_images(o)]


def _service(o: Json) -> Cells:
    spec = o.get("spec") or {}
    balancers = _get(o, "status", "loadBalancer", "ingress", default=[])
    external = ",".join(
        [*(i.get("ip") or i.get("hostname", "") for i in balancers), *spec.get("externalIPs", [])]
    )
    if spec.get("type") == "ExternalName":
        external = spec.get("externalName", "")
    if not external:
        external = "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"
    ports = ",".join(
        f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}"
        f"/{p.get('protocol', 'TCP')}"
        for p in spec.get("ports", [])
    )
    selector = ",".join(f"{k}={v}" for k, v in (spec.get("selector") or {}).items())
    return [
        _name(o),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        external,
        ports or "<none>",
        _born(o),
        selector or "<none>",
    ]


def _node(o: Json) -> Cells:
    conditions = {c["type"]: c["status"] for c in _get(o, "status", "conditions", default=[])}
    status = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if _get(o, "spec", "unschedulable"):
        status += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = o["metadata"].get("labels") or {}
    roles = ",".join(k.removeprefix(prefix) for k in labels if k.startswith(prefix))
    addresses = {a["type"]: a["address"] for a in _get(o, "status", "addresses", default=[])}
    info = _get(o, "status", "nodeInfo", default={})
    return [
        _name(o),
        status,
        roles or "<none>",
        _born(o),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage", "<unknown>"),
        info.get("kernelVersion", "<unknown>"),
        info.get("containerRuntimeVersion", "<unknown>"),
    ]


def _event(o: Json) -> Cells:
    about = o.get("involvedObject") or {}
    first = o.get("firstTimestamp") or o.get("eventTime") or o["metadata"].get("creationTimestamp")
    source = o.get("source") or {}
    component = source.get("component") or o.get("reportingComponent") or ""
    return [
        age(o.get("lastTimestamp") or first),
        o.get("type", ""),
        o.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(filter(None, [component, source.get("host", "")])),
        (o.get("message") or "").strip(),
        age(first),
        o.get("count", 1),
        _name(o),
    ]


def _slice(o: Json) -> Cells:
    addresses = [a for e in o.get("endpoints") or [] for a in e.get("addresses", [])]
    ports = ",".join(str(p.get("port")) for p in o.get("ports") or [])
    return [
        _name(o),
        o.get("addressType", ""),
        ports or "<unset>",
        ",".join(addresses) or "<unset>",
        _born(o),
    ]


def _autoscaler(o: Json) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    return [
        _name(o),
        f"{target.get('kind')}/{target.get('name')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        spec.get("minReplicas", "<unset>"),
        spec.get("maxReplicas"),
        status.get("currentReplicas", 0),
        _born(o),
    ]


def _targets(metrics: list[Json], current: list[Json]) -> str:
    """E.g. "cpu: 5%/70%, memory: <unknown>/80% + 1 more..."; current values are in their order."""
    listed = []
    for number, metric in enumerate(metrics):
        now = _metric_value(current[number], "current") if number < len(current) else "<unknown>"
        name = _source(metric).get("name")  # of a resource; other metrics are shown without
        listed.append(f"{name + ': ' if name else ''}{now}/{_metric_value(metric, 'target')}")
    more = f" + {len(listed) - _SHOWN} more..." if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more or "<none>"


_SHOWN = 2  # metrics of a HorizontalPodAutoscaler


def _source(metric: Json) -> Json:
    kind = metric.get("type", "")
    return metric.get(kind[:1].lower() + kind[1:]) or {}


def _metric_value(metric: Json, field: str) -> str:
    value = _source(metric).get(field) or {}
    if "averageUtilization" in value:
        return f"{value['averageUtilization']}%"
    return str(value.get("averageValue") or value.get("value") or "<unknown>")


def _budget(o: Json) -> Cells:
    spec = o.get("spec") or {}
    return [
        _name(o),
        spec.get("minAvailable", "N/A"),
        spec.get("maxUnavailable", "N/A"),
        _get(o, "status", "disruptionsAllowed", default=0),
        _born(o),
    ]


def _ingress(o: Json) -> Cells:
    spec = o.get("spec") or {}
    hosts = ",".join(r.get("host", "*") for r in spec.get("rules") or []) or "*"
    balancers = _get(o, "status", "loadBalancer", "ingress", default=[])
    address = ",".join(i.get("ip") or i.get("hostname", "") for i in balancers)
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(o), spec.get("ingressClassName", "<none>"), hosts, address, ports, _born(o)]


def _policy(o: Json) -> Cells:
    return [_name(o), _selector(_get(o, "spec", "podSelector")), _born(o)]


def _job(o: Json) -> Cells:
    status = o.get("status") or {}
    done = {c["type"] for c in status.get("conditions") or [] if c.get("status") == "True"}
    order = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")
    state = next((s for s in order if s in done), "Running")
    wanted = _get(o, "spec", "completions", default=1)
    took = ""
    if status.get("startTime"):
        start = datetime.fromisoformat(status["startTime"])
        end = status.get("completionTime")
        until = datetime.fromisoformat(end) if end else datetime.now(UTC)
        took = human_duration((until - start).total_seconds())
    done_of = f"{status.get('succeeded', 0)}/{wanted}"
    selector = _selector(_get(o, "spec", "selector"))
    return [_name(o), state, done_of, took, _born(o), *_images(o), selector]


def _cron_job(o: Json) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    last = status.get("lastScheduleTime")
    return [
        _name(o),
        spec.get("schedule", ""),
        spec.get("timeZone", "<none>"),
        str(bool(spec.get("suspend"))),
        len(status.get("active") or []),
        age(last) if last else "<none>",
        _born(o),
        *_images(spec.get("jobTemplate") or {}),
        _selector(_get(spec, "jobTemplate", "spec", "selector")),
    ]


def _daemon_set(o: Json) -> Cells:
    status = o.get("status") or {}
    chosen = _get(o, "spec", "template", "spec", "nodeSelector", default={})
    return [
        _name(o),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        ",".join(f"{k}={v}" for k, v in chosen.items()) or "<none>",
        _born(o),
        *_images(o),
        _selector(_get(o, "spec", "selector")),
    ]


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _modes(spec: Json) -> str:
    return ",".join(_MODES.get(m, m) for m in spec.get("accessModes") or [])


def _claim(o: Json) -> Cells:
    spec, status = o.get("spec") or {}, o.get("status") or {}
    return [
        _name(o),
        status.get("phase", ""),
        spec.get("volumeName", ""),
        _get(status, "capacity", "storage", default=""),
        _modes(spec) if spec.get("volumeName") else "",
        spec.get("storageClassName", ""),
        "<unset>",
        _born(o),
        spec.get("volumeMode", "<unset>"),
    ]


def _volume(o: Json) -> Cells:
    spec, claim = o.get("spec") or {}, _get(o, "spec", "claimRef", default={})
    return [
        _name(o),
        _get(spec, "capacity", "storage", default=""),
        _modes(spec),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _get(o, "status", "phase", default=""),
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName", ""),
        "<unset>",
        _get(o, "status", "reason", default=""),
        _born(o),
        spec.get("volumeMode", "<unset>"),
    ]


def _storage_class(o: Json) -> Cells:
    notes = o["metadata"].get("annotations") or {}
    default = notes.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        _name(o) + (" (default)" if default else ""),
        o.get("provisioner", ""),
        o.get("reclaimPolicy", "Delete"),
        o.get("volumeBindingMode", "Immediate"),
        str(bool(o.get("allowVolumeExpansion"))).lower(),
        _born(o),
    ]


def _quota(o: Json) -> Cells:
    hard, used = _get(o, "status", "hard", default={}), _get(o, "status", "used", default={})
    shown = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    limits = [text for name, text in shown.items() if name.startswith("limits.")]
    requests = [text for name, text in shown.items() if not name.startswith("limits.")]
    return [_name(o), ", ".join(requests), ", ".join(limits), _born(o)]


def _binding(o: Json) -> Cells:
    subjects = o.get("subjects") or []
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in subjects:
        home = f"{subject.get('namespace')}/" if subject["kind"] == "ServiceAccount" else ""
        named.setdefault(subject["kind"], []).append(home + subject["name"])
    who = [", ".join(named[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [_name(o), f"{o['roleRef']['kind']}/{o['roleRef']['name']}", _born(o), *who]


def _revision(o: Json) -> Cells:
    owner = next((r for r in o["metadata"].get("ownerReferences") or [] if r["controller"]), None)
    group = (owner or {}).get("apiVersion", "").partition("/")[0]
    title = f"{owner['kind'].lower()}.{group}/{owner['name']}" if owner else "<none>"
    return [_name(o), title, o.get("revision", 0), _born(o)]


def _endpoints(o: Json) -> Cells:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in o.get("subsets") or []
        for port in subset.get("ports") or []
        for address in subset.get("addresses") or []
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""  # noqa: PLR2004 - as kubectl
    return [_name(o), (",".join(found[:3]) + more) or "<none>", _born(o)]


def _priority_class(o: Json) -> Cells:
    default = str(bool(o.get("globalDefault"))).lower()
    return [_name(o), o.get("value", 0), default, _born(o), o.get("preemptionPolicy", "")]


def _used(o: Json) -> Cells:
    """Of a NodeMetrics, or of all containers of a PodMetrics."""
    used = [c["usage"] for c in o.get("containers") or [o]]
    cpu = sum(int(u["cpu"].removesuffix("n")) for u in used)
    memory = sum(int(u["memory"].removesuffix("Ki")) for u in used)
    return [_name(o), f"{cpu}n", f"{memory}Ki", o["window"]]


_DEFAULT = Layout(("Name", "Age"), lambda o: [_name(o), _born(o)])
_DATED = Layout(
    ("Name", "Created At"), lambda o: [_name(o), o["metadata"].get("creationTimestamp", "")]
)
_BINDING = Layout(("Name", "Role", "Age", "Users*", "Groups*", "ServiceAccounts*"), _binding)
_LAYOUTS: dict[str, Layout] = {
    "Pod": Layout(
        (
            "Name",
            "Ready",
            "Status",
            "Restarts",
            "Age",
            "IP*",
            "Node*",
            "Nominated Node*",
            "Readiness Gates*",
        ),
        _pod,
    ),
    "Deployment": Layout(
        (
            "Name",
            "Ready",
            "Up-to-date",
            "Available",
            "Age",
            "Containers*",
            "Images*",
            "Selector*",
        ),
        _deployment,
    ),
    "ReplicaSet": Layout(
        ("Name", "Desired", "Current", "Ready", "Age", "Containers*", "Images*", "Selector*"),
        _replica_set,
    ),
    "StatefulSet": Layout(("Name", "Ready", "Age", "Containers*", "Images*"), _stateful_set),
    "Service": Layout(
        ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector*"), _service
    ),
    "Node": Layout(
        (
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "Internal-IP*",
            "External-IP*",
            "OS-Image*",
            "Kernel-Version*",
            "Container-Runtime*",
        ),
        _node,
    ),
    "Namespace": Layout(
        ("Name", "Status", "Age"),
        lambda o: [_name(o), _get(o, "status", "phase", default="Active"), _born(o)],
    ),
    "ConfigMap": Layout(
        ("Name", "Data", "Age"), lambda o: [_name(o), len(o.get("data") or {}), _born(o)]
    ),
    "Secret": Layout(
        ("Name", "Type", "Data", "Age"),
        lambda o: [_name(o), o.get("type", ""), len(o.get("data") or {}), _born(o)],
    ),
    "ServiceAccount": Layout(
        ("Name", "Secrets", "Age"), lambda o: [_name(o), len(o.get("secrets") or []), _born(o)]
    ),
    "Event": Layout(
        (
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "Subobject*",
            "Source*",
            "Message",
            "First Seen*",
            "Count*",
            "Name*",
        ),
        _event,
    ),
    "EndpointSlice": Layout(("Name", "AddressType", "Ports", "Endpoints", "Age"), _slice),
    "Lease": Layout(
        ("Name", "Holder", "Age"),
        lambda o: [_name(o), _get(o, "spec", "holderIdentity", default=""), _born(o)],
    ),
    "HorizontalPodAutoscaler": Layout(
        ("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"), _autoscaler
    ),
    "PodDisruptionBudget": Layout(
        ("Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"), _budget
    ),
    "Ingress": Layout(("Name", "Class", "Hosts", "Address", "Ports", "Age"), _ingress),
    "NetworkPolicy": Layout(("Name", "Pod-Selector", "Age"), _policy),
    "Job": Layout(
        (
            *("Name", "Status", "Completions", "Duration", "Age"),
            *("Containers*", "Images*", "Selector*"),
        ),
        _job,
    ),
    "CronJob": Layout(
        (
            *("Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule", "Age"),
            *("Containers*", "Images*", "Selector*"),
        ),
        _cron_job,
    ),
    "DaemonSet": Layout(
        (
            *("Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector"),
            *("Age", "Containers*", "Images*", "Selector*"),
        ),
        _daemon_set,
    ),
    "ControllerRevision": Layout(("Name", "Controller", "Revision", "Age"), _revision),
    "Endpoints": Layout(("Name", "Endpoints", "Age"), _endpoints),
    "ResourceQuota": Layout(("Name", "Request", "Limit", "Age"), _quota),
    "LimitRange": _DATED,
    "Role": _DATED,
    "ClusterRole": _DATED,
    "CustomResourceDefinition": _DATED,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "PriorityClass": Layout(
        ("Name", "Value", "Global-Default", "Age", "PreemptionPolicy"), _priority_class
    ),
    "StorageClass": Layout(
        (
            *("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode"),
            *("AllowVolumeExpansion", "Age"),
        ),
        _storage_class,
    ),
    "IngressClass": Layout(
        ("Name", "Controller", "Parameters", "Age"),
        lambda o: [_name(o), _get(o, "spec", "controller", default=""), "<none>", _born(o)],
    ),
    "PersistentVolume": Layout(
        (
            *("Name", "Capacity", "Access Modes", "Reclaim Policy", "Status", "Claim"),
            *("StorageClass", "VolumeAttributesClass", "Reason", "Age", "VolumeMode*"),
        ),
        _volume,
    ),
    "PersistentVolumeClaim": Layout(
        (
            "Name",
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            "Age",
            "VolumeMode*",
        ),
        _claim,
    ),
    "NodeMetrics": Layout(("Name", "cpu", "memory", "Window"), _used),
    "PodMetrics": Layout(("Name", "cpu", "memory", "Window"), _used),
}


def table(kind: Kind, objects: list[Json], version: str, *, include: str = "Metadata") -> Json:
    """A meta.k8s.io/v1 Table; `include` is Metadata, Object or None (the includeObject option)."""
    layout = _of_custom(kind.custom.columns) if kind.custom else _LAYOUTS.get(kind.kind, _DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": column.rstrip("*"),
                "type": "string",
                "format": "name" if column == "Name" else "",
                "description": column.rstrip("*"),
                "priority": 1 if column.endswith("*") else 0,
            }
            for column in layout.columns
        ],
        "rows": [_row(layout, o, include) for o in objects],
    }


@cache
def _of_custom(columns: tuple[Column, ...]) -> Layout:
    """From the printer columns of a CustomResourceDefinition."""
    names = tuple(c.name + ("*" if c.wide else "") for c in columns)
    paths = [printer_path(c.json_path) for c in columns]

    def cells(obj: Json) -> Cells:
        found: Cells = [_name(obj)]
        for column, path in zip(columns, paths, strict=True):
            match = path.match(obj)
            value = match.value if match else None
            found.append(age(str(value)) if column.type == "date" and value else value)
        return found

    return Layout(("Name", *names), cells)


def _row(layout: Layout, obj: Json, include: str) -> Json:
    row: Json = {"cells": layout.cells(obj)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj)
    return row


def partial(obj: Json) -> Json:
    """The object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
