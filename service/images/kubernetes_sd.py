"""Prometheus' Kubernetes service discovery, the pure part: objects to target groups.

Labels are those of the Prometheus reference, <kubernetes_sd_config>, for the roles pod and node.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from service.cluster.kube import NODES, PODS, Json, Resource

ROLES: Mapping[str, Resource] = {"pod": PODS, "node": NODES}
_META = "__meta_kubernetes_"
# The order in which a node's addresses are preferred (discovery/kubernetes/node.go).
_ADDRESSES = ("InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname")


def _sanitized(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _metadata(obj: Json, kind: str) -> dict[str, str]:
    meta = obj["metadata"]
    found = {f"{_META}{kind}_name": meta["name"]}
    for what in ("label", "annotation"):
        for key, value in (meta.get(f"{what}s") or {}).items():
            found[f"{_META}{kind}_{what}_{_sanitized(key)}"] = value
            found[f"{_META}{kind}_{what}present_{_sanitized(key)}"] = "true"
    return found


def pod_groups(pod: Json) -> Iterator[Json]:
    """A target for each declared port; one without port for a container that declares none."""
    status, spec = pod.get("status") or {}, pod["spec"]
    address = status.get("podIP")
    if not address:
        return
    ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), None)
    refs = pod["metadata"].get("ownerReferences") or []
    owner: Json = next((r for r in refs if r.get("controller")), {})
    common = {
        f"{_META}namespace": pod["metadata"]["namespace"],
        **_metadata(pod, "pod"),
        f"{_META}pod_ip": address,
        f"{_META}pod_ready": ready["status"].lower() if ready else "unknown",
        f"{_META}pod_phase": status.get("phase", ""),
        f"{_META}pod_node_name": spec.get("nodeName", ""),
        f"{_META}pod_host_ip": status.get("hostIP", ""),
        f"{_META}pod_uid": pod["metadata"]["uid"],
        f"{_META}pod_controller_kind": owner.get("kind", ""),
        f"{_META}pod_controller_name": owner.get("name", ""),
    }
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or []:
            labels = {
                **common,
                f"{_META}pod_container_name": container["name"],
                f"{_META}pod_container_image": container.get("image", ""),
                f"{_META}pod_container_init": str(kind == "initContainers").lower(),
            }
            if not container.get("ports"):
                yield {"targets": [address], "labels": labels}
            for port in container.get("ports") or []:
                of_port = {
                    f"{_META}pod_container_port_name": port.get("name", ""),
                    f"{_META}pod_container_port_number": str(port["containerPort"]),
                    f"{_META}pod_container_port_protocol": port.get("protocol", "TCP"),
                }
                target = f"{address}:{port['containerPort']}"
                yield {"targets": [target], "labels": {**labels, **of_port}}


def node_groups(node: Json) -> Iterator[Json]:
    """One target: the kubelet's port."""
    status = node.get("status") or {}
    addresses = {a["type"]: a["address"] for a in status.get("addresses") or []}
    address = next((addresses[kind] for kind in _ADDRESSES if kind in addresses), None)
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    if address and port:
        labels = {"instance": node["metadata"]["name"], **_metadata(node, "node")}
        labels |= {f"{_META}node_address_{kind}": value for kind, value in addresses.items()}
        yield {"targets": [f"{address}:{port}"], "labels": labels}


def groups(sd_config: Json, objects: Iterable[Json]) -> list[Json]:
    """The target groups of one kubernetes_sd_config, as a file for file_sd_config holds them."""
    make = {"pod": pod_groups, "node": node_groups}[sd_config["role"]]
    names = (sd_config.get("namespaces") or {}).get("names")
    wanted = (o for o in objects if not names or o["metadata"].get("namespace") in names)
    ordered = sorted(
        wanted, key=lambda o: (o["metadata"].get("namespace", ""), o["metadata"]["name"])
    )
    return [group for obj in ordered for group in make(obj)]
