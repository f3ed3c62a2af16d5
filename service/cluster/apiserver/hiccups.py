"""The control plane's bad moments, on request: a switch for drills and tests.

An object in a namespace says which share of the requests to its objects goes wrong, and how:

    apiVersion: gameday.dev/v1
    kind: Hiccup
    spec: {rates: {"409": 0.1, "429": 0.1, "500": 0.1, timeout: 0.1}, until: 2026-01-02T03:04:05Z}

409 to writes alone; "timeout" answers nothing for HANG_S, after having done what was asked half of
the time, which is the worst of it. The cluster's own parts are spared, and so are these objects, so
that the switch can be turned off; after `until` it is off by itself. A spec that cannot be read
means no hiccups; of several objects, the first one that holds counts.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from service.cluster.apiserver.auth import User
from service.cluster.apiserver.errors import StatusError, conflict
from service.cluster.apiserver.request import Place
from service.cluster.apiserver.resources import Resources

SWITCH = ("gameday.dev", "v1", "hiccups")
HANG_S = 20.0
_WRITES = ("POST", "PUT", "PATCH", "DELETE")

Answer = Callable[[], Awaitable[Response]]


def _is_part(user: User) -> bool:
    """Of the control plane or a node; pods' own accounts are users like others."""
    return user.name.startswith("system:") and "system:serviceaccounts" not in user.groups


class Hiccups:
    """Decides for each request; the same seed and the same requests give the same hiccups."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._dice: dict[str, tuple[str, random.Random]] = {}

    async def answer(self, user: User, method: str, place: Place, go_on: Answer) -> Response:
        """`go_on`'s answer, or a hiccup. Raises StatusError."""
        wanted = self._wanted(place.namespace)
        if wanted is None or _is_part(user) or place.kind.home == SWITCH[::2]:
            return await go_on()
        rates, dice = wanted
        draw = dice.random()
        for kind in ("409", "429", "500", "timeout"):
            rate = float(rates.get(kind, 0))
            if draw < rate:
                return await self._hiccup(kind, method, place, go_on, dice)
            draw -= rate
        return await go_on()

    async def _hiccup(
        self, kind: str, method: str, place: Place, go_on: Answer, dice: random.Random
    ) -> Response:
        if kind == "409" and method not in _WRITES:
            return await go_on()
        if kind == "409":
            raise conflict(place.kind.plural, place.kind.group, place.name)
        if kind == "429":
            raise StatusError(429, "TooManyRequests", "too many requests, please try again later")
        if kind == "500":
            raise StatusError(500, "InternalError", "Internal error occurred: a hiccup")
        if dice.random() < 0.5:  # noqa: PLR2004
            await go_on()
        await asyncio.sleep(HANG_S)
        raise StatusError(504, "Timeout", "Timeout: request did not complete within the time")

    def _wanted(self, namespace: str) -> tuple[dict[str, Any], random.Random] | None:
        kind = self._resources.kinds.find(*SWITCH)
        if not namespace or kind is None:
            return None
        for stored in self._resources.store.each(kind, namespace):
            spec = stored.obj.get("spec") or {}
            if not _holds(spec):
                continue
            text = json.dumps(spec, sort_keys=True)
            if namespace not in self._dice or self._dice[namespace][0] != text:
                seed = f"{namespace} {text}"
                dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
                self._dice[namespace] = text, dice
            return spec["rates"], self._dice[namespace][1]
        return None


def _holds(spec: dict[str, Any]) -> bool:
    """Can it be read, and is its time not over?"""
    try:
        sum(float(rate) for rate in spec["rates"].values())
        until = datetime.fromisoformat(spec["until"])
        return until > datetime.now(UTC)
    except (LookupError, ValueError, TypeError, AttributeError):
        return False
