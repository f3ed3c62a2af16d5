"""HTTP in, HTTP out: routes to the rules in resources.py, answers in the client's form."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from service.cluster.apiserver import (
    custom,
    discovery,
    errors,
    openapi,
    patches,
    server_side_apply,
    subresources,
    tables,
    watching,
)
from service.cluster.apiserver.access import STREAMS, Access
from service.cluster.apiserver.auth import Authenticator
from service.cluster.apiserver.authorization import Authorizer
from service.cluster.apiserver.bootstrap import bootstrap
from service.cluster.apiserver.hiccups import Hiccups
from service.cluster.apiserver.kinds import Kind, Kinds
from service.cluster.apiserver.kubelets import Kubelets
from service.cluster.apiserver.metrics import GROUP as METRICS
from service.cluster.apiserver.metrics import MetricsApi
from service.cluster.apiserver.relay import Relay
from service.cluster.apiserver.request import (
    PARTIAL,
    PLAIN,
    TABLE,
    Place,
    is_true,
    locate,
    read_body,
    read_object,
    representation,
)
from service.cluster.apiserver.resources import Resources, timestamp
from service.cluster.apiserver.reviews import Reviews
from service.cluster.apiserver.selectors import (
    Predicate,
    everything,
    field_selector,
    label_selector,
)
from service.cluster.apiserver.store import Store, Stored

Json = dict[str, Any]
WATCH_TIMEOUT_S = 1800.0
KEEPS_OBJECT = {"Pod", "Service", "ServiceAccount", "PersistentVolumeClaim"}


def _object(raw: bytes) -> Response:
    return Response(raw, media_type="application/json")


@dataclass(frozen=True, slots=True)
class ApiServer:
    """An ASGI application over one store."""

    resources: Resources
    auth: Authenticator
    access: Access
    reviews: Reviews
    hiccups: Hiccups
    kubelets: Kubelets
    relay: Relay
    metrics: MetricsApi

    @classmethod
    def open(cls, directory: Path, service_network: str) -> "ApiServer":
        """With the state and the keys below `directory`."""
        store, kinds = Store(directory / "state.db"), Kinds()
        resources = Resources(store, kinds, service_network)
        bootstrap(resources)
        pki = directory / "pki"
        authenticator, authorizer = Authenticator(pki), Authorizer(store, kinds)
        kubelets = Kubelets(resources, pki)
        return cls(
            resources=resources,
            auth=authenticator,
            access=Access(authenticator, authorizer),
            reviews=Reviews(authenticator, authorizer),
            hiccups=Hiccups(resources),
            kubelets=kubelets,
            relay=Relay(resources, kubelets),
            metrics=MetricsApi(resources, kubelets),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(self, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
        else:
            request = Request(scope, receive)
            try:
                response = await self._answer(request)
            except errors.StatusError as error:
                response = JSONResponse(error.status(), error.code)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if path in ("/healthz", "/livez", "/readyz"):
            return PlainTextResponse("ok")
        if path in ("/version", "/version/"):
            return JSONResponse(discovery.VERSION)
        user = self.access.user(request.headers)
        parts = path.strip("/").split("/")
        if parts[0] not in ("api", "apis") or len(parts) <= (2 if parts[0] == "api" else 3):
            self.access.check_path(user, request.method, path)
            return self._describe(request, path)
        place = locate(self.resources.kinds, path)
        self.access.check(user, request.method, request.query_params, place)
        if place.kind.verbs == ("create",) and request.method == "POST" and not place.name:
            body = await read_object(request)
            kind, home = place.kind.kind, place.namespace
            return JSONResponse(self.reviews.answer(kind, body, user, home), 201)
        return await self.hiccups.answer(
            user, request.method, place, lambda: self._resource(request, place)
        )

    def _describe(self, request: Request, path: str) -> Response:
        """Discovery and OpenAPI. Raises StatusError 404 for any other path."""
        kinds = self.resources.kinds
        parts = path.strip("/").split("/")
        if path.rstrip("/") in ("/api", "/apis"):
            core = parts[0] == "api"
            if "as=APIGroupDiscoveryList" in request.headers.get("accept", ""):
                body = json.dumps(discovery.aggregated(kinds, core=core))
                return Response(body, media_type=discovery.AGGREGATED[0])
            return JSONResponse(
                discovery.legacy_versions() if core else discovery.legacy_groups(kinds)
            )
        found: Json | None
        match parts:
            case ["api", version]:
                found = discovery.legacy_resources(kinds, "", version)
            case ["apis", group]:
                found = discovery.legacy_group(kinds, group)
            case ["apis", group, version]:
                found = discovery.legacy_resources(kinds, group, version)
            case ["openapi", "v2"]:  # an empty document: nothing is checked before it is sent
                return Response(b"", media_type=openapi.V2_MEDIA_TYPE)
            case ["openapi", "v3"]:
                found = openapi.index(kinds)
            case ["openapi", "v3", "api", version]:
                found = openapi.document(kinds, "", version, schemas=True)
            case ["openapi", "v3", "apis", group, version]:
                found = openapi.document(kinds, group, version, schemas=True)
            case _:
                found = None
        if found is None:
            raise errors.no_such_resource()
        return JSONResponse(found)

    async def _resource(self, request: Request, place: Place) -> Response:
        if place.sub in ("log", "proxy"):
            return await self._relayed(request, place)
        handlers: dict[tuple[str, bool], Callable[[Request, Place], Awaitable[Response]]] = {
            ("GET", False): self._list,
            ("POST", False): self._create,
            ("DELETE", False): self._delete_collection,
            ("GET", True): self._get,
            ("PUT", True): self._replace,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("POST", True): self._act,
        }
        handler = handlers.get((request.method, bool(place.name)))
        read_only = place.kind.group == METRICS
        if handler is None or (read_only and request.method != "GET"):
            raise errors.StatusError(
                405, "MethodNotAllowed", "the server does not allow this method on the resource"
            )
        return await handler(request, place)

    async def _relayed(self, request: Request, place: Place) -> Response:
        if place.sub == "log":
            query = dict(request.query_params)
            return await self.relay.log(place.namespace, place.name, query)
        if place.kind.kind == "Node":
            return await self.relay.to_node(request, place.name, place.rest)
        to = self.relay.to_pod if place.kind.kind == "Pod" else self.relay.to_service
        return await to(request, place.namespace, place.name, place.rest)

    # Reading

    async def _list(self, request: Request, place: Place) -> Response:
        query = request.query_params
        wanted = _predicate(query.get("labelSelector"), query.get("fieldSelector"))
        if is_true(query.get("watch")) and "watch" in place.kind.verbs:
            return self._watch(request, place, wanted)
        store = self.resources.store
        source = self.metrics if place.kind.group == METRICS else store
        found = list(source.each(place.kind, place.namespace))
        if place.kind.converted:
            found = [custom.present(place.kind, s) for s in found]
        if wanted is not everything:
            found = [s for s in found if wanted(s.obj)]
        page, after, remaining = _page(found, query.get("limit"), query.get("continue"))
        metadata: Json = {"resourceVersion": str(store.version)}
        if after:
            metadata |= {"continue": after, "remainingItemCount": remaining}
        form = representation(request.headers.get("accept", ""))
        if form == TABLE:
            body = tables.table(
                place.kind,
                [s.obj for s in page],
                metadata["resourceVersion"],
                include=query.get("includeObject", "Metadata"),
            )
            body["metadata"] = metadata
            return JSONResponse(body)
        if form == PARTIAL:
            partial = [tables.partial(s.obj) for s in page]
            kind = "PartialObjectMetadataList"
            head = {"kind": kind, "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            return JSONResponse({**head, "items": partial})
        head = {
            "kind": f"{place.kind.kind}List",
            "apiVersion": place.kind.api_version,
            "metadata": metadata,
        }
        items = [s.raw for s in page] or [b""]
        items[0] = json.dumps(head).encode()[:-1] + b',"items":[' + items[0]
        items[-1] += b"]}"
        return _object(b",".join(items))  # megabytes: copied once

    def _watch(self, request: Request, place: Place, wanted: Predicate) -> Response:
        query = request.query_params
        form = representation(request.headers.get("accept", ""))
        include = query.get("includeObject", "Metadata")
        since = query.get("resourceVersion")
        if since and not since.isdigit():
            raise errors.bad_request(f"invalid resource version {since!r}")

        def encode(stored: Stored) -> bytes:
            if form == TABLE:
                version = stored.obj["metadata"]["resourceVersion"]
                body = tables.table(place.kind, [stored.obj], version, include=include)
            elif form == PARTIAL:
                body = tables.partial(stored.obj)
            else:
                return custom.present(place.kind, stored).raw
            return json.dumps(body).encode()

        return StreamingResponse(
            watching.stream(
                watching.View(
                    store=self.resources.store,
                    kind=place.kind,
                    namespace=place.namespace,
                    wanted=wanted,
                    encode=encode,
                ),
                since=since,
                initial=is_true(query.get("sendInitialEvents")),
                bookmarks=is_true(query.get("allowWatchBookmarks")),
                timeout_s=float(query.get("timeoutSeconds") or WATCH_TIMEOUT_S),
            ),
            media_type="application/json",
        )

    async def _get(self, request: Request, place: Place) -> Response:
        if place.kind.group == METRICS:
            stored = self.metrics.get(place.kind, place.namespace, place.name)
            return _represented(request, place.kind, stored)
        stored = self.resources.get(place.kind, place.namespace, place.name)
        if place.sub == "scale":
            return JSONResponse(subresources.scale_of(place.kind, stored.obj))
        return _represented(request, place.kind, stored)

    # Writing

    async def _create(self, request: Request, place: Place) -> Response:
        stored = self.resources.create(
            place.kind,
            place.namespace,
            await read_object(request),
            dry_run=_dry_run(request),
            strict=_strict(request),
        )
        return _represented(request, place.kind, stored, 201)

    async def _replace(self, request: Request, place: Place) -> Response:
        body = await read_object(request)
        return self._write(request, place, lambda _: body)

    async def _patch(self, request: Request, place: Place) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0]
        if content_type in server_side_apply.MEDIA_TYPES:
            return await self._apply(request, place)
        if content_type == patches.STRATEGIC and place.kind.custom:
            raise errors.unsupported_media_type(content_type)
        patch = await read_body(request)
        return self._write(
            request, place, lambda current: patches.apply_patch(current, patch, content_type)
        )

    async def _apply(self, request: Request, place: Place) -> Response:
        """Server-side apply: what is not there yet is created."""
        given, manager = await read_object(request), request.query_params.get("fieldManager")
        if not manager:
            raise errors.bad_request("fieldManager is required for apply patch")

        def applied(live: Json) -> Json:
            return server_side_apply.apply(
                live,
                given,
                manager,
                timestamp(),
                force=is_true(request.query_params.get("force")),
                custom=place.kind.custom is not None,
            )

        if place.sub or self.resources.store.get(place.kind, place.namespace, place.name):
            return self._write(request, place, applied)
        stored = self.resources.create(
            place.kind,
            place.namespace,
            applied({}),
            dry_run=_dry_run(request),
            strict=_strict(request),
        )
        return _represented(request, place.kind, stored, 201)

    def _write(self, request: Request, place: Place, change: Callable[[Json], Json]) -> Response:
        """`change` gets the current object, or for `scale` its Scale."""
        if place.sub == "scale":
            stored = self.resources.update(
                place.kind,
                place.namespace,
                place.name,
                lambda obj: subresources.rescaled(
                    place.kind, obj, change(subresources.scale_of(place.kind, obj))
                ),
                dry_run=_dry_run(request),
            )
            return JSONResponse(subresources.scale_of(place.kind, stored.obj))
        if place.sub not in ("", "status", "finalize"):
            raise errors.no_such_resource()
        stored = self.resources.update(
            place.kind,
            place.namespace,
            place.name,
            change,
            sub=place.sub,
            dry_run=_dry_run(request),
            strict=_strict(request),
        )
        return _represented(request, place.kind, stored)

    async def _act(self, request: Request, place: Place) -> Response:
        """POST to a subresource."""
        body = await read_object(request)
        if place.sub == "binding":
            subresources.bind(self.resources, place.kind, place.namespace, place.name, body)
        elif place.sub == "eviction":
            dry = _dry_run(request)
            subresources.evict(
                self.resources, place.kind, place.namespace, place.name, body, dry_run=dry
            )
        elif place.sub == "token":
            self.resources.get(place.kind, place.namespace, place.name)
            status = self.auth.issue(place.namespace, place.name)
            return JSONResponse(
                {
                    "kind": "TokenRequest",
                    "apiVersion": "authentication.k8s.io/v1",
                    "metadata": {"name": place.name, "namespace": place.namespace},
                    "spec": {"audiences": [], **(body.get("spec") or {})},
                    "status": status,
                },
                201,
            )
        else:
            raise errors.StatusError(405, "MethodNotAllowed", "POST is not allowed here")
        return JSONResponse(_success(place), 201)

    async def _delete(self, request: Request, place: Place) -> Response:
        options = await _delete_options(request)
        stored, gone = self.resources.delete(
            place.kind, place.namespace, place.name, options, dry_run=_dry_run(request)
        )
        if gone and place.kind.kind not in KEEPS_OBJECT:
            return JSONResponse(_success(place, stored))
        return _represented(request, place.kind, stored)

    async def _delete_collection(self, request: Request, place: Place) -> Response:
        query = request.query_params
        wanted = _predicate(query.get("labelSelector"), query.get("fieldSelector"))
        options = await _delete_options(request)
        if place.kind.namespaced and not place.namespace:
            raise errors.StatusError(405, "MethodNotAllowed", "a namespace is required")
        for stored in list(self.resources.store.each(place.kind, place.namespace)):
            if wanted(stored.obj):
                name = stored.obj["metadata"]["name"]
                self.resources.delete(
                    place.kind, place.namespace, name, options, dry_run=_dry_run(request)
                )
        return JSONResponse(_success(place))

    # Streams

    async def _websocket(self, websocket: WebSocket) -> None:
        try:
            user = self.access.user(websocket.headers)
            place = locate(self.resources.kinds, websocket.url.path)
            self.access.check(user, "GET", websocket.query_params, place)
            if place.sub not in STREAMS:
                raise errors.no_such_resource()
            await self.relay.stream(websocket, place.namespace, place.name, place.sub)
        except errors.StatusError as error:
            await websocket.send_denial_response(JSONResponse(error.status(), error.code))


def _represented(request: Request, kind: Kind, stored: Stored, code: int = 200) -> Response:
    form = representation(request.headers.get("accept", ""))
    if form == PLAIN and stored.raw:
        return Response(stored.raw, code, media_type="application/json")
    if form == TABLE:
        version = stored.obj["metadata"].get("resourceVersion", "")
        include = request.query_params.get("includeObject", "Metadata")
        return JSONResponse(tables.table(kind, [stored.obj], version, include=include), code)
    return JSONResponse(tables.partial(stored.obj) if form == PARTIAL else stored.obj, code)


def _predicate(labels: str | None, fields: str | None) -> Predicate:
    if not labels and not fields:
        return everything
    by_label = label_selector(labels) if labels else None
    by_field = field_selector(fields) if fields else None

    def wanted(obj: Json) -> bool:
        return (by_label is None or by_label(obj)) and (by_field is None or by_field(obj))

    return wanted


def _page(
    found: list[Stored], limit: str | None, token: str | None
) -> tuple[list[Stored], str, int]:
    """(this page, token of the next one, how many remain)."""
    start = 0
    if token:
        try:
            after = tuple(json.loads(base64.urlsafe_b64decode(token)))
        except ValueError as error:
            raise errors.bad_request("continue key is not valid") from error
        start = next((n for n, s in enumerate(found) if _key(s) > after), len(found))
    size = int(limit) if limit and limit.isdigit() else 0
    if not size or start + size >= len(found):
        return found[start:], "", 0
    page = found[start : start + size]
    following = base64.urlsafe_b64encode(json.dumps(_key(page[-1])).encode()).decode()
    return page, following, len(found) - start - size


def _key(stored: Stored) -> tuple[str, str]:
    metadata = stored.obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _dry_run(request: Request) -> bool:
    return "All" in request.query_params.getlist("dryRun")


def _strict(request: Request) -> bool:
    return request.query_params.get("fieldValidation") == "Strict"


async def _delete_options(request: Request) -> Json:
    options = await read_object(request)
    query = request.query_params
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    return options


def _success(place: Place, stored: Stored | None = None) -> Json:
    details = {"name": place.name, "group": place.kind.group, "kind": place.kind.plural}
    if stored is not None:
        details["uid"] = stored.obj["metadata"]["uid"]
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**head, "details": {k: v for k, v in details.items() if v}}


async def _lifespan(server: ApiServer, receive: Receive, send: Send) -> None:
    reading = asyncio.create_task(server.metrics.run())
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            reading.cancel()
            await server.kubelets.http.aclose()
            server.resources.store.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
