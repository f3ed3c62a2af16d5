"""A pod's status from its containers: pure."""

from typing import Any

Json = dict[str, Any]


def phase_of(pod: Json, init: list[Json], main: list[Json]) -> str:
    """Pod lifecycle phases (kubernetes.io, "Pod Lifecycle"); arguments are ContainerStatuses."""
    policy = pod["spec"].get("restartPolicy", "Always")
    for status in init:
        ended = status["state"].get("terminated")
        if ended is None:
            return "Pending"
        if ended["exitCode"] != 0:
            return "Failed" if policy == "Never" else "Pending"
    if any("running" in s["state"] for s in main):
        return "Running"
    ends = [s["state"].get("terminated") for s in main]
    if all(ends) and policy != "Always":
        failed = any(e["exitCode"] != 0 for e in ends if e)
        if failed and policy == "Never":
            return "Failed"
        if not failed:
            return "Succeeded"
    if any(s["restartCount"] or s["lastState"] or s["state"].get("terminated") for s in main):
        return "Running"
    return "Pending"


def conditions(pod: Json, init: list[Json], main: list[Json], phase: str, stamp: str) -> list[Json]:
    """With the transition times kept where nothing changed; PodScheduled is left as it is."""
    initialized = all((s["state"].get("terminated") or {}).get("exitCode") == 0 for s in init)
    over = phase in ("Succeeded", "Failed")
    ready = bool(main) and all(s["ready"] for s in main) and not over
    unready = [s["name"] for s in main if not s["ready"]]
    why: Json = {}
    if not ready:
        why = {
            "reason": "PodCompleted" if over else "ContainersNotReady",
            "message": "" if over else f"containers with unready status: [{' '.join(unready)}]",
        }
    wanted = {
        "PodReadyToStartContainers": (True, {}),
        "Initialized": (
            initialized,
            {} if initialized else {"reason": "ContainersNotInitialized"},
        ),
        "Ready": (ready, why),
        "ContainersReady": (ready, why),
    }
    before = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or []}
    result = []
    for kind, (holds, extra) in wanted.items():
        status = "True" if holds else "False"
        old = before.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == status else stamp
        result.append({"type": kind, "status": status, "lastTransitionTime": since, **extra})
    scheduled = before.get("PodScheduled")
    return [*result, *([scheduled] if scheduled else [])]


def pod_status(
    pod: Json, ip: str, host_ip: str, init: list[Json], main: list[Json], *, start: str, stamp: str
) -> Json:
    """The whole status; `start` is when the node agent took the pod up, `stamp` is now."""
    phase = phase_of(pod, init, main)
    status: Json = {
        "phase": phase,
        "conditions": conditions(pod, init, main, phase, stamp),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": start,
        "containerStatuses": main,
        "qosClass": (pod.get("status") or {}).get("qosClass", "BestEffort"),
    }
    if init:
        status["initContainerStatuses"] = init
    return status
