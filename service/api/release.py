"""A bad release on purpose: the same service, slower or failing, for those who test the testing.

Off unless the environment asks for it. Health, readiness and metrics stay as they are: the releases
that hurt are those that look well to their probes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from fastapi import HTTPException

from service.api.settings import Settings


def flaw(settings: Settings, draw: Random) -> Callable[[], Awaitable[None]] | None:
    """What happens before each request for the domain: a delay, a 500; None for a good release."""
    if not settings.release_delay_ms and not settings.release_error_rate:
        return None

    async def misbehave() -> None:
        if settings.release_delay_ms:
            await asyncio.sleep(settings.release_delay_ms / 1000)
        if draw.random() < settings.release_error_rate:
            raise HTTPException(500, detail="a failure that RELEASE_ERROR_RATE asked for")

    return misbehave
