"""A pod's status from its containers: pure."""

from typing import Any

Json = dict[str, Any]


def sidecars(pod: Json) -> set[str]:
    """Init containers that go on beside the others."""
    listed = pod["spec"].get("initContainers") or []
    return {c["name"] for c in listed if c.get("restartPolicy") == "Always"}


def phase_of(pod: Json, init: list[Json], main: list[Json]) -> str:
    """Pod lifecycle phases (kubernetes.io, "Pod Lifecycle"); arguments are ContainerStatuses."""
    policy = pod["spec"].get("restartPolicy", "Always")
    beside = sidecars(pod)
    for status in init:
        if status["name"] in beside:
            if not _has_begun(status, main):
                return "Pending"
            continue
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
    """With the transition times kept where nothing changed; those of others are left alone."""
    beside = sidecars(pod)
    waiting = [s["name"] for s in init if not _is_initialized(s, main, beside)]
    over = phase in ("Succeeded", "Failed")
    unready = [s["name"] for s in (*init, *main) if not s["ready"] and s["name"] not in waiting]
    unready += [name for name in waiting if name in beside]
    ready = not unready and not waiting and not over
    why: Json = {}
    if over:
        why = {"reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    elif not ready:
        listed = " ".join(n for n in _names(pod) if n in unready)
        text = f"containers with unready status: [{listed}]"
        why = {"reason": "ContainersNotReady", "message": text}
    before = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or []}
    gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or []]
    closed = [g for g in gates if before.get(g, {}).get("status") != "True"]
    closes: Json = {"reason": "ReadinessGatesNotReady"}
    if closed:
        missing = closed[0] not in before
        closes["message"] = (
            f'corresponding condition of pod readiness gate "{closed[0]}"'
            f" {'does not exist' if missing else 'is not True'}."
        )
    wanted = {
        "PodReadyToStartContainers": (True, {}),
        "Initialized": (
            not waiting,
            {}
            if not waiting
            else {
                "reason": "ContainersNotInitialized",
                "message": f"containers with incomplete status: [{' '.join(waiting)}]",
            },
        ),
        "Ready": (ready and not closed, closes if ready and closed else why),
        "ContainersReady": (ready, why),
    }
    result = []
    for kind, (holds, extra) in wanted.items():
        status = "True" if holds else "False"
        old = before.get(kind)
        since = old["lastTransitionTime"] if old and old["status"] == status else stamp
        result.append({"type": kind, "status": status, "lastTransitionTime": since, **extra})
    return [*result, *(c for kind, c in before.items() if kind not in wanted)]


def _has_begun(sidecar: Json, main: list[Json]) -> bool:
    """Is it started, or was it once, so that others have followed?"""
    return bool(sidecar["started"] or any("waiting" not in s["state"] for s in main))


def _is_initialized(status: Json, main: list[Json], beside: set[str]) -> bool:
    if status["name"] in beside:
        return _has_begun(status, main)
    return bool((status["state"].get("terminated") or {}).get("exitCode") == 0)


def _names(pod: Json) -> list[str]:
    spec = pod["spec"]
    return [c["name"] for c in (*(spec.get("initContainers") or []), *spec["containers"])]


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
