"""A release that is bad on purpose hurts users, and nothing that watches it."""

from collections.abc import Callable
from time import monotonic

import httpx
import pytest

from service.api.settings import Settings, SettingsError
from tests.service.conftest import Service

DELAY_S = 0.15


def test_a_bad_release_is_slow_and_fails_while_its_probes_are_well(
    start_service: Callable[..., Service],
) -> None:
    service = start_service(RELEASE_DELAY_MS=str(DELAY_S * 1000), RELEASE_ERROR_RATE="0.5")
    statuses = []
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for _ in range(20):
            begun = monotonic()
            answer = client.post("/score", json={"content": "harvest"})
            assert monotonic() - begun >= DELAY_S
            statuses.append(answer.status_code)
        assert set(statuses) == {200, 500}  # fails once in half a million times
        begun = monotonic()
        assert [client.get("/ready").status_code for _ in range(10)] == [200] * 10
        assert monotonic() - begun < 10 * DELAY_S
        told = client.get("/metrics").text
    failed = f'endpoint="/score",method="POST",status="500"}} {float(statuses.count(500))}'
    assert failed in told


def test_a_good_release_has_no_delay_and_no_failures_of_its_own() -> None:
    assert Settings.from_environment({}).release_delay_ms == 0
    assert Settings.from_environment({}).release_error_rate == 0


@pytest.mark.parametrize(
    ("name", "value"), [("RELEASE_DELAY_MS", "-1"), ("RELEASE_ERROR_RATE", "2")]
)
def test_a_bad_release_is_asked_for_in_sensible_numbers(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})
