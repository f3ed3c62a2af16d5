"""Events as the real controllers write them: repeated ones raise the count of the first."""

import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import urllib3

from service.cluster.controllers.objects import name, namespace, timestamp, uid
from service.cluster.kube import EVENTS, ApiError, Json, Kube, NotFoundError, Resource

log = logging.getLogger(__name__)

_REMEMBERED = 4096  # as many different events as client-go's correlator keeps


class Recorder:
    """Writes events from a thread of its own, so that no reconciliation waits for one."""

    def __init__(self, kube: Kube, now: Callable[[], datetime], host: str = "") -> None:
        self._kube, self._now, self._host = kube, now, host
        self._pending: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._known: OrderedDict[tuple[str, ...], Json] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Write what is pending, within `timeout_s`."""
        self._pending.put(None)
        self._thread.join(timeout_s)

    def normal(
        self,
        component: str,
        resource: Resource,
        about: Json,
        why: str,
        text: str,
        *,
        field: str = "",
    ) -> None:
        """`field` is the part of the object that it is about, such as spec.containers{c}."""
        self._put(component, resource, about, why, text, kind="Normal", field=field)

    def warning(
        self,
        component: str,
        resource: Resource,
        about: Json,
        why: str,
        text: str,
        *,
        field: str = "",
    ) -> None:
        self._put(component, resource, about, why, text, kind="Warning", field=field)

    def _put(
        self,
        component: str,
        resource: Resource,
        about: Json,
        why: str,
        text: str,
        *,
        kind: str,
        field: str,
    ) -> None:
        moment = timestamp(self._now())
        # Events about cluster-scoped objects live in the namespace default.
        home = namespace(about) or "default"
        involved = {
            "apiVersion": resource.group_version,
            "kind": resource.kind,
            "name": name(about),
            "uid": uid(about),
            "resourceVersion": about["metadata"].get("resourceVersion", ""),
        }
        if namespace(about):
            involved["namespace"] = namespace(about)
        if field:
            involved["fieldPath"] = field
        self._pending.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name(about)}.{secrets.token_hex(8)}", "namespace": home},
                "involvedObject": involved,
                "type": kind,
                "reason": why,
                "message": text,
                "source": {"component": component, **({"host": self._host} if self._host else {})},
                "reportingComponent": component,
                "reportingInstance": self._host,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
            }
        )

    def _run(self) -> None:
        while (event := self._pending.get()) is not None:
            try:
                self._write(event)
            except (ApiError, urllib3.exceptions.HTTPError) as error:
                log.debug("event %s not written: %s", event["reason"], error)

    def _write(self, event: Json) -> None:
        about = event["involvedObject"]
        part = about.get("fieldPath", "")
        same = (about["uid"], part, event["type"], event["reason"], event["message"])
        home = event["metadata"]["namespace"]
        if (first := self._known.get(same)) is not None:
            first["count"] += 1
            change = {"count": first["count"], "lastTimestamp": event["lastTimestamp"]}
            try:
                self._kube.patch(EVENTS, name(first), change, home)
            except NotFoundError:  # expired meanwhile
                del self._known[same]
            else:
                self._known.move_to_end(same)
                return
        self._kube.create(EVENTS, event, home)
        self._known[same] = event
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
