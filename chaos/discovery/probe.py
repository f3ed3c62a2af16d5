"""Asking the service itself, a few times: which requests work, and how long they take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from chaos.discovery.call import Call

TRIES = 5
TIMEOUT_S = 5.0
_BAD = 400
_DESCRIPTIONS = ("/openapi.json", "/swagger.json", "/v3/api-docs", "/api/openapi.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """`works` answered below 400 each time; `times` in seconds, ascending; `left_out` in words."""

    works: tuple[Call, ...]
    times: tuple[float, ...]
    left_out: tuple[str, ...]


def probe(url: str, calls: Iterable[Call]) -> Probed:
    """Only what reads is asked."""
    works, left_out, times = [], [], []
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, follow_redirects=False) as client:
        for call in calls:
            seen: list[float] = []
            why = ""
            for _ in range(TRIES):
                try:
                    answer = client.request(call.method, call.example)
                except httpx.HTTPError as error:
                    why = str(error) or type(error).__name__
                    break
                if answer.status_code >= _BAD:
                    why = f"answered {answer.status_code}"
                    break
                seen.append(answer.elapsed.total_seconds())
            if why:
                left_out.append(f"{call.method} {call.example}: {why}")
            else:
                works.append(call)
                times += seen
    return Probed(works=tuple(works), times=tuple(sorted(times)), left_out=tuple(left_out))


def description(url: str, places: Sequence[str] = _DESCRIPTIONS) -> tuple[str, object] | None:
    """The OpenAPI document that the service itself has, and where; None if it has none."""
    with httpx.Client(base_url=url, timeout=TIMEOUT_S, follow_redirects=True) as client:
        for place in places:
            try:
                answer = client.get(place)
                if answer.is_success:
                    return place, answer.json()
            except (httpx.HTTPError, ValueError):
                continue
    return None
