"""`gameday load --rate`: a load without a scenario's file."""

import math
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from chaos.cli.errors import UsageError
from chaos.cli.system import traffic_of
from loadtests.requests_yaml import Request
from loadtests.scenario import Scenario, ScenarioStage, Traffic
from slo.documents import parse_duration
from slo.system.folder import SystemFolder
from slo.target_url import UrlError, checked_url

TIMEOUT = "10s"
FEWEST_USERS, MOST_USERS = 50, 5_000


def at_a_rate(
    rate: float, *, url: str | None, locustfile: Path | None, folder: SystemFolder | None
) -> tuple[Scenario, str | None]:
    """A scenario of so many arrivals a second until it is stopped, and where it goes.

    What is sent: the users of the locustfile, else those of the system, else a GET of the address,
    which may then have a path and a query. Raises UsageError, slo.documents.DocumentError.
    """
    known = traffic_of(folder) if folder is not None else Traffic()
    if locustfile is not None:
        if not locustfile.is_file():
            raise UsageError(f"--locustfile: there is no file {locustfile}")
        traffic = Traffic(locustfile=locustfile.absolute()).trusting(known)
    elif known.said:
        traffic = known
    elif url is not None:
        url, path = _parted(url)
        traffic = Traffic(requests=(Request(path=path),)).trusting(known)
    else:
        raise UsageError("nobody says what is sent: give --locustfile, or --url with its path")
    timeout = parse_duration(TIMEOUT)
    # As many as arrive while one request may take: no more can be under way at a steady rate.
    users = math.ceil(rate * timeout.total_seconds())
    try:
        return Scenario(
            name="rate",
            stages=(ScenarioStage(rate=rate),),
            request_timeout=timeout,
            max_in_flight=min(MOST_USERS, max(FEWEST_USERS, users)),
            **dict(traffic),
        ), url
    except ValidationError as error:
        raise UsageError(f"--rate {rate:g}: {error.errors()[0]['msg']}") from error


def _parted(url: str) -> tuple[str, str]:
    """The address without path and query, and these two."""
    address, _, query = url.partition("?")
    try:
        parts = urlsplit(checked_url(address))
    except UrlError as error:
        raise UsageError(str(error)) from error
    path = (parts.path or "/") + (f"?{query}" if query else "")
    return f"{parts.scheme}://{parts.netloc}", path
