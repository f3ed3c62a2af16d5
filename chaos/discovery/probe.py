"""Asking the service itself, a few times: which requests work, and how long they take."""

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from chaos.discovery.call import Call
from chaos.discovery.recorded_secrets import shown

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


def probe(url: str, calls: Iterable[Call], ca_file: Path | None = None) -> Probed:
    """Only what reads is asked. A path that takes an id gets one from the list that has them."""
    works, left_out, times = [], [], []
    ids: dict[str, str] = {}
    with _client(url, ca_file, follow_redirects=False) as client:
        for call in sorted(calls, key=lambda c: bool(c.ids_from)):
            asked = call
            if call.ids_from in ids:
                asked = replace(call, example=f"{call.ids_from}/{ids[call.ids_from]}")
            found = _asked(client, asked)
            if isinstance(found, str):
                left_out.append(f"{call.method} {asked.example}: {found}")
                continue
            works.append(asked)
            times += [answer.elapsed.total_seconds() for answer in found]
            known = _id_in(found[-1])
            if known:
                ids[call.path] = known
    return Probed(works=tuple(works), times=tuple(sorted(times)), left_out=tuple(left_out))


def _client(url: str, ca_file: Path | None, *, follow_redirects: bool) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
    return httpx.Client(
        base_url=url, timeout=TIMEOUT_S, follow_redirects=follow_redirects, verify=trusted
    )


def _asked(client: httpx.Client, call: Call) -> list[httpx.Response] | str:
    """The answers, or why one of them was none."""
    path = shown(call.example, call.secrets, in_path=True)
    headers = {name: shown(value, call.secrets) for name, value in call.headers.items()}
    found = []
    for _ in range(TRIES):
        try:
            answer = client.request(call.method, path, headers=headers)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__
        if answer.status_code >= _BAD:
            return f"answered {answer.status_code}"
        found.append(answer)
    return found


def _id_in(answer: httpx.Response) -> str:
    """The id of the first entry of a list; "" where the answer is none of that kind."""
    try:
        rows = answer.json()
    except ValueError:
        return ""
    first = rows[0] if isinstance(rows, list) and rows else None
    return str(first["id"]) if isinstance(first, dict) and "id" in first else ""


def description(
    url: str, ca_file: Path | None = None, places: Sequence[str] = _DESCRIPTIONS
) -> tuple[str, object] | None:
    """The OpenAPI document that the service itself has, and where; None if it has none."""
    with _client(url, ca_file, follow_redirects=True) as client:
        for place in places:
            try:
                answer = client.get(place)
                if answer.is_success:
                    return place, answer.json()
            except (httpx.HTTPError, ValueError):
                continue
    return None
