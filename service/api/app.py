"""The HTTP interface: thin handlers over the components."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from random import Random
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from service.api import schemas
from service.api.components import Components
from service.api.dependency import DependencyError
from service.api.embedding import embed
from service.api.graph import Attestation, fingerprint, terms_of
from service.api.middleware import Observe
from service.api.release import flaw
from service.api.scoring import PASS_THRESHOLD, WEIGHTS, Score, evaluate

_INLINE_CHARACTERS = 2_000  # longer texts are scored in a worker thread, off the event loop

AttestationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


def create_app(components: Components) -> FastAPI:
    """The application over the components; they run for as long as its lifespan does."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with components.running():
            yield

    app = FastAPI(title="bizra-api", lifespan=lifespan)
    app.add_middleware(Observe, metrics=components.metrics)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DependencyError, _unavailable)
    app.add_exception_handler(TimeoutError, _unavailable)
    _add_operations(app, components)
    # On the router, not on the app: there a refusal would come before the route is known, and the
    # request would be counted under no endpoint.
    settings = components.settings
    misbehave = flaw(settings, Random())  # noqa: S311 - no secrets
    router = APIRouter(
        max_body_size=settings.max_body_bytes,
        dependencies=[Depends(misbehave)] if misbehave else [],
    )
    _add_domain(router, components)
    app.include_router(router)
    return app


async def _invalid(_: Request, error: Exception) -> Response:
    """Field, reason and kind; not the input, which may be large or no valid JSON (NaN)."""
    if not isinstance(error, RequestValidationError):  # the registration above sees to it
        raise error
    detail = [{key: e[key] for key in ("loc", "msg", "type")} for e in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


async def _unavailable(_: Request, error: Exception) -> Response:
    detail = str(error) or "the search took too long"
    return JSONResponse({"detail": detail}, status_code=503, headers={"Retry-After": "1"})


def _add_operations(app: FastAPI, components: Components) -> None:
    @app.get("/health")
    async def health(response: Response) -> schemas.Health:
        status, states, reasons = components.health()
        response.status_code = 200 if components.started else 503
        return schemas.Health(status=status, components=states, reasons=reasons)

    @app.get("/ready")
    async def ready(response: Response) -> schemas.Ready:
        response.status_code = 200 if components.ready else 503
        return schemas.Ready(ready=components.ready)

    @app.get("/metrics")
    async def metrics() -> Response:
        text = generate_latest(components.metrics.registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _add_domain(router: APIRouter, components: Components) -> None:
    async def scored(content: str) -> Score:
        if len(content) <= _INLINE_CHARACTERS:
            return evaluate(content)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(components.executor, evaluate, content)

    @router.post("/score")
    async def score(body: schemas.ContentIn) -> schemas.ScoreOut:
        result = await scored(body.content)
        return schemas.ScoreOut(
            score=result.score,
            passed=result.passed,
            threshold=PASS_THRESHOLD,
            dimensions=dict(result.dimensions),
            weights=dict(WEIGHTS),
        )

    @router.post("/search")
    async def search(body: schemas.SearchIn) -> schemas.SearchOut:
        if body.text is not None:
            vector = embed(body.text)
        else:
            vector = np.asarray(body.vector, dtype=np.float32)
        found = await components.search(vector, body.k)
        return schemas.SearchOut(
            results=[schemas.NeighbourOut(id=n.id, distance=n.distance) for n in found]
        )

    @router.post("/attestations")
    async def attest(body: schemas.ContentIn, response: Response) -> schemas.AttestationOut:
        result = await scored(body.content)
        attestation = Attestation(
            id=fingerprint(body.content),
            created_ms=time.time_ns() // 1_000_000,
            score=result.score,
            passed=result.passed,
            terms=terms_of(body.content),
        )
        async with components.graph_state.call():
            created = await components.graph.store(attestation)
        response.status_code = 201 if created else 200
        return schemas.AttestationOut(
            id=attestation.id,
            created=created,
            score=attestation.score,
            passed=attestation.passed,
            terms=list(attestation.terms),
        )

    @router.get("/attestations/{attestation_id}/related", response_model=schemas.RelatedOut)
    async def related(
        attestation_id: AttestationId, limit: Annotated[int, Query(ge=1, le=50)] = 10
    ) -> Response:
        key = f"related:{attestation_id}:{limit}"
        text = await components.cache.get(components.cache_state, key)
        source = "hit"
        if text is None:
            source = "miss"
            async with components.graph_state.call():
                items = await components.graph.related(attestation_id, limit=limit)
            if items is None:
                raise HTTPException(404, detail=f"no attestation {attestation_id}")
            out = schemas.RelatedOut(
                id=attestation_id,
                related=[schemas.RelatedItem(**item._asdict()) for item in items],
            )
            text = out.model_dump_json().encode()
            await components.cache.put(components.cache_state, key, text)
        return Response(text, media_type="application/json", headers={"X-Cache": source})
