"""The control plane's bad moments, on request: a switch for drills and tests.

An annotation on a namespace says which share of the requests to its objects goes wrong, and how:

    gameday.dev/hiccups: '{"409": 0.1, "429": 0.1, "500": 0.1, "timeout": 0.1, "seed": 7}'

409 to writes alone; "timeout" answers nothing for HANG_S, after having done what was asked half of
the time, which is the worst of it. The cluster's own parts are spared, and so is the Namespace
itself, so that the switch can be turned off. A value that cannot be read means no hiccups.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from service.cluster.apiserver.auth import User
from service.cluster.apiserver.errors import StatusError, conflict
from service.cluster.apiserver.request import Place
from service.cluster.apiserver.resources import Resources

ANNOTATION = "gameday.dev/hiccups"
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
        if wanted is None or _is_part(user):
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
        if not namespace:
            return None
        store, kinds = self._resources.store, self._resources.kinds
        found = store.get(kinds.named("namespaces"), "", namespace)
        text = ((found.obj["metadata"].get("annotations") or {}) if found else {}).get(ANNOTATION)
        if not text:
            return None
        if namespace not in self._dice or self._dice[namespace][0] != text:
            seed = f"{namespace} {text}"
            self._dice[namespace] = text, random.Random(seed)  # noqa: S311 - repeatable on purpose
        try:
            rates = json.loads(text)
            sum(float(v) for v in rates.values())
        except (ValueError, TypeError, AttributeError):
            return None
        return rates, self._dice[namespace][1]
