"""What a pod may know of itself: fields and resources, as environment or as files.

Source: kubernetes.io, "Downward API".
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from service.cluster.agent.quantities import number

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the pod object does not say (yet); `allocatable` is the node's, as quantities."""

    pod_ip: str
    host_ip: str
    allocatable: Json


def field(path: str, pod: Json, facts: Facts) -> str:
    """The value of a fieldRef."""
    addresses = {"podIP": facts.pod_ip, "podIPs": facts.pod_ip}
    addresses |= {"hostIP": facts.host_ip, "hostIPs": facts.host_ip}
    first, _, rest = path.partition(".")
    if first == "status" and rest in addresses:
        return addresses[rest]
    if match := re.fullmatch(r"metadata\.(labels|annotations)(?:\['(.+)'\])?", path):
        found = pod["metadata"].get(match[1]) or {}
        if match[2] is not None:
            return str(found.get(match[2], ""))
        return "\n".join(f"{k}={json.dumps(v)}" for k, v in sorted(found.items()))
    if path == "spec.serviceAccountName":
        return str(pod["spec"].get("serviceAccountName") or "default")
    value: Any = pod
    for step in path.split("."):
        value = value.get(step, "") if isinstance(value, dict) else ""
    return str(value)


def resource(source: Json, container: Json, facts: Facts) -> str:
    """The value of a resourceFieldRef, in units of its divisor, rounded up.

    A limit that is not set is what the node has; a request that is not set is 0.
    """
    group, _, name = source["resource"].partition(".")
    resources = container.get("resources") or {}
    value = (resources.get(group) or {}).get(name)
    if value is None and group == "limits":
        value = facts.allocatable.get(name)
    divisor = number(source.get("divisor") or 1) or 1
    return str(math.ceil(number(value or 0) / divisor))
