"""Requests to one cluster: objects as they are, and what a game day asks about often."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from chaos.kube.errors import ClusterError
from chaos.kube.kinds import KINDS, Json, Kind, Ref, kind_of, parts_of
from chaos.kube.quantities import milli, quantity
from chaos.kube.views import (
    COUNTED,
    ClusterEvent,
    Pod,
    Usage,
    Workload,
    event_of,
    pod_of,
    workload_of,
)
from chaos.kube.wire import Wire

FORBIDDEN, NOT_FOUND, CONFLICT, UNPROCESSABLE = 403, 404, 409, 422
TRIES_OF_A_CHANGE = 20  # somebody else's writes between our reading and our patch

Operations = list[Json]
"""A JSON patch (RFC 6902)."""


class Cluster(Wire):
    """One cluster. Safe to share between threads; every method raises ClusterError."""

    # Any object

    def find(self, ref: Ref) -> Json | None:
        """The object as it is now, or None where there is none."""
        try:
            return self._ask("GET", ref.path, f"read {ref}")
        except ClusterError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def get(self, ref: Ref) -> Json:
        return self._ask("GET", ref.path, f"read {ref}")

    def objects(
        self, kind: Kind, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Json]:
        """By label and field selector, sorted by name; "" is all."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        where = f" of {namespace}" if namespace and kind.namespaced else ""
        found = self._ask(
            "GET",
            kind.path(namespace),
            f"list {kind.plural}{where}",
            query={k: v for k, v in query.items() if v},
        )
        head = {"apiVersion": kind.api_version, "kind": kind.kind}
        items = [{**head, **item} for item in found.get("items") or ()]
        return sorted(items, key=lambda o: (o["metadata"].get("namespace", ""), _name(o)))

    def create(self, manifest: Json) -> Json:
        """Raises ClusterError with status 409 where an object of this name is there."""
        ref = Ref.to(manifest)
        path = ref.kind.path(ref.namespace)

        def attempt() -> Json:
            try:
                return self._once("POST", path, f"create {ref}", body=manifest)
            except ClusterError as error:
                error.passing |= error.status == CONFLICT and error.reason != "AlreadyExists"
                raise

        return self._persist(attempt)

    def refuses(self, manifest: Json) -> str:
        """Why the object would not be created, in the server's words; "" where it would be."""
        ref = Ref.to(manifest)
        path, doing = ref.kind.path(ref.namespace), f"ask whether {ref} may be created"
        try:
            self._ask("POST", path, doing, query={"dryRun": "All"}, body=manifest)
        except ClusterError as error:
            if error.status not in (FORBIDDEN, UNPROCESSABLE):
                raise
            return str(error).removeprefix(f"cannot {doing}: ")
        return ""

    def delete(
        self, ref: Ref, *, uid: str = "", version: str = "", grace_s: int | None = None
    ) -> bool:
        """Delete this very object, as it was read; False when it was gone, or is another one."""
        options: Json = {"propagationPolicy": "Background"}
        conditions = {"uid": uid, "resourceVersion": version}
        if uid or version:
            options["preconditions"] = {k: v for k, v in conditions.items() if v}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s

        def attempt() -> bool:
            try:
                self._once("DELETE", ref.path, f"delete {ref}", body=options)
            except ClusterError as error:
                if error.status == NOT_FOUND:
                    return False
                if error.status != CONFLICT:
                    raise
                there = (self.find(ref) or {}).get("metadata", {})
                if any(v and there.get(k) != v for k, v in conditions.items()):
                    return False
                error.passing = True  # a conflict with whatever else was going on
                raise
            return True

        return self._persist(attempt)

    def change(self, ref: Ref, operations: Callable[[Json], Operations]) -> Json | None:
        """Read the object and patch it with what `operations` makes of it, as one step.

        The patch holds for the version that was read: where somebody else was faster, both are
        done again. No operations, no patch. None where there is no such object.
        """
        for _ in range(TRIES_OF_A_CHANGE):
            current = self.find(ref)
            if current is None:
                return None
            wanted = operations(current)
            if not wanted:
                return current
            version = current["metadata"]["resourceVersion"]
            guard = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
            try:
                return self._ask("PATCH", ref.path, f"change {ref}", body=[guard, *wanted])
            except ClusterError as error:
                if error.status == NOT_FOUND:
                    return None
                # A patch whose answer was lost and that is sent again does not fit what it made.
                if error.status not in (CONFLICT, UNPROCESSABLE):
                    raise
                if error.status == UNPROCESSABLE and self._version(ref) == version:
                    raise
                self._again(error)
        raise ClusterError(f"cannot change {ref}: somebody else keeps changing it", status=CONFLICT)

    def _version(self, ref: Ref) -> str:
        """Of the object as it is now; "" where there is none."""
        found = self.find(ref)
        return found["metadata"]["resourceVersion"] if found else ""

    def evict(self, ref: Ref, *, uid: str) -> None:
        """Through the eviction subresource: 429 when a PodDisruptionBudget does not allow it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": ref.name, "namespace": ref.namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        path = f"{ref.path}/eviction"
        self._throttled(lambda: self._once("POST", path, f"evict {ref}", body=body))

    def allowed(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        """May we? `resource` as in a rule, e.g. "pods/exec"."""
        plural, _, sub = resource.partition("/")
        wanted = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": sub,
            "namespace": namespace,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {k: v for k, v in wanted.items() if v}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._ask("POST", path, "ask what is allowed", body=body)
        return bool(answer["status"]["allowed"])

    def make(self, ref: Ref, manifest: Json) -> Json:
        """Create an object of a kind that need not be in the table."""
        path = ref.kind.path(ref.namespace)
        return self._ask("POST", path, f"create {ref}", body=manifest)

    def token(self, namespace: str, account: str) -> str:
        """A token of a service account, for an hour."""
        path = Ref.of("ServiceAccount", namespace, account).path
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        answer = self._ask("POST", f"{path}/token", f"get a token of {account}", body=body)
        return str(answer["status"]["token"])

    # What a game day asks about

    def check(self) -> str:
        """The server's version, e.g. "v1.37.1"."""
        answer = self._ask("GET", "/version", f"reach the cluster at {self.server}")
        return str(answer["gitVersion"])

    def namespace(self, name: str) -> Json:
        return self._ask("GET", f"/api/v1/namespaces/{name}", f"find namespace {name}")

    def kind(self, name: str) -> Kind:
        """By its name, or as "Rollout.v1alpha1.argoproj.io" where it is not in the table.

        The server is asked then. Raises ClusterError where it has no such kind.
        """
        if name in KINDS:
            return KINDS[name]
        kind, version = parts_of(name)
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        missing = f"the cluster has no kind {kind} of {version or 'v1'}"
        try:
            found = self._ask("GET", path, f"look for kind {kind} of {version}")
        except ClusterError as error:
            if error.status == NOT_FOUND:
                raise ClusterError(missing, status=NOT_FOUND) from error
            raise
        for row in found.get("resources") or ():
            if row["kind"] == kind and "/" not in row["name"]:
                return Kind(version, kind, row["name"], namespaced=row["namespaced"])
        raise ClusterError(missing, status=NOT_FOUND)

    def workload(self, namespace: str, name: str, kind: str = "Deployment") -> Workload:
        """Of a kind that is not in the table, it is known by its subresource `scale`."""
        if kind in COUNTED:
            return workload_of(self.get(Ref.of(kind, namespace, name)))
        ref = Ref(self.kind(kind), name, namespace)
        self.get(ref)  # where it is missing, that is said, and not that its scale is
        try:
            scale = self._ask("GET", f"{ref.path}/scale", f"read the scale of {ref}")
        except ClusterError as error:
            if error.status != NOT_FOUND:
                raise
            said = f"{ref} has no subresource scale, which would say how many pods it wants"
            raise ClusterError(said, status=NOT_FOUND) from error
        selector = str((scale.get("status") or {}).get("selector") or "")
        if not selector:
            raise ClusterError(
                f"the scale of {ref} has no selector yet, so that its pods cannot be told from"
                " others: its controller has to set it"
            )
        ready = [p for p in self.pods(namespace, selector) if p.ready and not p.ending]
        desired = int((scale.get("spec") or {}).get("replicas") or 0)
        return Workload(
            namespace=namespace, name=name, desired=desired, ready=len(ready), selector=selector
        )

    def scaled_kinds(self) -> list[Kind]:
        """Custom resources with a subresource `scale`, of each group's preferred version."""
        groups = self._ask("GET", "/apis", "look for kinds that can be scaled").get("groups") or ()
        found = []
        for group in groups:
            if "." not in group["name"] or group["name"].endswith(".k8s.io"):
                continue  # Kubernetes' own
            version = group["preferredVersion"]["groupVersion"]
            rows = self._ask("GET", f"/apis/{version}", f"look at {version}").get("resources") or ()
            scaled = {r["name"].partition("/")[0] for r in rows if r["name"].endswith("/scale")}
            found += [
                Kind(version, row["kind"], row["name"])
                for row in rows
                if row["name"] in scaled and row["namespaced"]
            ]
        return found

    def pods(self, namespace: str, selector: str, fields: str | None = None) -> list[Pod]:
        """By label and field selector, sorted by name; not those that have run to their end."""
        found = self.objects(kind_of("Pod"), namespace, selector, fields or "")
        return [pod for pod in map(pod_of, found) if not pod.finished]

    def endpoints(self, namespace: str, pod_uid: str) -> Sequence[str]:
        """Addresses under which Services still send traffic to the pod: ready endpoints."""
        return [
            address
            for piece in self.objects(kind_of("EndpointSlice"), namespace)
            for endpoint in piece.get("endpoints") or ()
            if (endpoint.get("targetRef") or {}).get("uid") == pod_uid
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]
        ]

    def usage(self, namespace: str, pod_name: str, container: str) -> Usage | None:
        """By the resource metrics API; None where it has not measured this container yet."""
        found = self.find(Ref.of("PodMetrics", namespace, pod_name))
        for measured in found["containers"] if found else ():
            if measured["name"] == container:
                used = measured["usage"]
                return Usage(milli(used["cpu"]), quantity(used["memory"]))
        return None

    def last_words(self, ref: Ref, container: str, *, previous: bool = False) -> str:
        """The last line that a container wrote; "" where there is none."""
        query = {"container": container, "tailLines": "1"}
        if previous:
            query["previous"] = "true"
        path, doing = f"{ref.path}/log", f"read the log of {ref}"
        answer = self._throttled(lambda: self._send("GET", path, doing, query=query))
        return answer.decode(errors="replace").strip()

    def log_since(self, ref: Ref, container: str, moment: str) -> Iterator[tuple[str, str]]:
        """Lines that were written after `moment`, each with its own; "" is the start."""
        query = {"container": container, "timestamps": "true"}
        if moment:  # lines of the same second come again
            query["sinceTime"] = moment
        path, doing = f"{ref.path}/log", f"read the log of {ref}"
        answer = self._throttled(lambda: self._send("GET", path, doing, query=query))
        for row in answer.decode(errors="replace").splitlines():
            written, _, line = row.partition(" ")
            if written > moment:
                yield written, line

    def service_url(self, namespace: str, service: str, port: int) -> str:
        """Where a user of the service goes: its load balancer, else its cluster address."""
        found = self.get(Ref.of("Service", namespace, service))
        spec = found.get("spec") or {}
        if port not in [p["port"] for p in spec.get("ports") or ()]:
            raise ClusterError(f"service {namespace}/{service} has no port {port}")
        balancer = (found.get("status") or {}).get("loadBalancer") or {}
        named = [i.get("ip") or i.get("hostname") for i in balancer.get("ingress") or ()]
        host = next(filter(None, named), spec.get("clusterIP"))
        if host in (None, "", "None"):
            raise ClusterError(f"service {namespace}/{service} has no address of its own")
        return f"http://{host}:{port}"

    def get_through_service(
        self,
        namespace: str,
        service: str,
        port: int,
        path: str,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """GET an HTTP path of a service through the API server's proxy. Asked once.

        `headers` reach the service, but for Authorization, which the API server takes for itself.
        """
        where = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        doing = f"read {service}:{port}{path} through the API server"
        return self._throttled(
            lambda: self._send("GET", where, doing, query=query, headers=headers)
        )

    def post_through_service(self, namespace: str, service: str, port: int, path: str) -> None:
        """POST an HTTP path of a service, without a body, through the API server's proxy."""
        place = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        doing = f"ask {service}:{port}{path} through the API server"
        self._throttled(lambda: self._send("POST", place, doing))

    def events(self, namespace: str) -> Sequence[ClusterEvent]:
        """All events that the API server still has, oldest first."""
        found = self._ask(
            "GET", f"/api/v1/namespaces/{namespace}/events", f"list events of {namespace}"
        )
        rows = [event_of(e) for e in found.get("items") or ()]
        return sorted((r for r in rows if r is not None), key=lambda r: (r.time, r.name, r.reason))


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])
