"""What Prometheus answered, read before the client library sees it.

prometheus-api-client gives the result of an answer and drops the rest. The rest matters: why a
query was refused, and warnings, by which Prometheus, Thanos and Mimir say that the result may be
made of a part of the data.
"""

import ssl
from collections.abc import Sequence

import requests
from pydantic import BaseModel, ValidationError

LONGEST_TEXT = 300
"""Characters of somebody else's text that a sentence of ours has at most."""


class PrometheusError(Exception):
    """Prometheus cannot be reached, or refused the query; the message is one sentence."""


class PartialAnswerError(PrometheusError):
    """The result came with warnings, so nobody knows what is missing in it."""

    def __init__(self, warnings: Sequence[str]) -> None:
        self.warnings = tuple(warnings)
        super().__init__(
            "partial answer: Prometheus warned that the result may be incomplete or wrong"
            f" ({'; '.join(self.warnings)})"
        )


class UnfitAnswerError(PrometheusError):
    """The answer is whole, but the expression gives something else than numbers."""


class _Envelope(BaseModel):
    """The outside of each answer. VictoriaMetrics says `isPartial` instead of a warning."""

    status: str = ""
    data: object = None
    error: str = ""
    message: str = ""
    warnings: tuple[str, ...] | None = None
    infos: tuple[str, ...] | None = None
    isPartial: bool = False  # noqa: N815 - the API's spelling


_INFO = "PromQL info:"


def is_info(warning: str) -> bool:
    """A remark on the expression. Prometheus before 3.0 sends remarks among the warnings."""
    return warning.startswith(_INFO)


def read(response: requests.Response, where: str) -> tuple[str, ...]:
    """Its remarks. Raises PrometheusError, and PartialAnswerError where there is a warning."""
    if response.is_redirect:
        target = response.headers.get("location", "").partition("?")[0]
        raise PrometheusError(
            f"{where} answered {_status(response)}, to {one_line(target)}: name the address that"
            " Prometheus has, or the credentials that a login in front of it asks for"
        )
    found = _envelope(response)
    if found is not None and found.status == "error":
        raise PrometheusError(f"Prometheus refused the query: {one_line(found.error)}")
    if not response.ok:
        # API gateways and Kubernetes say why in "message", Mimir in plain text.
        plain = response.headers.get("content-type", "").startswith("text/plain")
        text = one_line((found.message if found else "") or (response.text if plain else ""))
        raise PrometheusError(
            f"{where} answered {_status(response)}" + (f": {text}" if text else "")
        )
    if found is None or found.status != "success" or found.data is None:
        raise PrometheusError("what answers is not Prometheus: no JSON of its API")
    every = [one_line(text) for text in found.warnings or ()]
    warnings = [text for text in every if not is_info(text)]
    if found.isPartial:
        warnings.append("isPartial is true")
    if warnings:
        raise PartialAnswerError(warnings)
    return (*every, *(one_line(text) for text in found.infos or ()))


def why_unreachable(error: BaseException) -> str:
    """The first cause of a failed request: requests and urllib3 wrap it several times."""
    deepest, causes = error, {id(error)}
    while (cause := deepest.__cause__ or deepest.__context__) and id(cause) not in causes:
        deepest = cause
        causes.add(id(cause))
    if isinstance(deepest, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {one_line(deepest.verify_message)}"
    told = deepest.strerror if isinstance(deepest, OSError) else None
    return one_line(told or str(deepest))


def one_line(text: str) -> str:
    """Without line ends, and not too long."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def _status(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason or ''}".rstrip()


def _envelope(response: requests.Response) -> _Envelope | None:
    try:
        return _Envelope.model_validate_json(response.content)
    except ValidationError:
        return None
