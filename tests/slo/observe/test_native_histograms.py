"""Native histograms of a real Prometheus, scraped as protobuf as it asks for them."""

import struct
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slo.observe.answers import UnfitAnswerError
from slo.observe.prometheus import Prometheus
from tests.slo.observe.fronts import Answered, Request, answering
from tests.slo.tsdb import running

COUNT, SCHEMA = 100, 3  # buckets grow by 2 ** (1 / 8)


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def zigzag(value: int) -> int:
    return value * 2 if value >= 0 else -value * 2 - 1


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def message(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def exposition() -> bytes:
    """One histogram as io.prometheus.client.MetricFamily: COUNT observations in (1, 2 ** 1/8]."""
    span = number(1, zigzag(1)) + number(2, 1)
    histogram = (
        number(1, COUNT)
        + double(2, COUNT * 1.05)
        + number(5, zigzag(SCHEMA))
        + double(6, 1e-9)
        + number(7, 0)
        + message(12, span)
        + message(13, varint(zigzag(COUNT)))
    )
    family = message(1, b"latency_seconds") + number(3, 4) + message(4, message(7, histogram))
    return varint(len(family)) + family


PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")

    def answer(_: Request) -> Answered:
        return 200, PROTOBUF, exposition()

    with answering(answer) as target, scraping(target.url, folder) as url:
        found = Prometheus(url, timeout_s=10)
        deadline = time.monotonic() + 30
        while not found.instant("histogram_count(latency_seconds) > 0", datetime.now(UTC)):
            assert time.monotonic() < deadline, "the target was not scraped within 30 s"
            time.sleep(0.1)
        yield found


def scraping(target: str, folder: Path) -> AbstractContextManager[str]:
    host = target.partition("//")[2]
    config = f"""
        scrape_configs:
          - job_name: native
            scrape_interval: 1s
            static_configs: [{{targets: ["{host}"]}}]
        """
    return running(config, folder, "--enable-feature=native-histograms")


def test_numbers_are_taken_of_it_by_functions(prometheus: Prometheus) -> None:
    now = datetime.now(UTC)
    (count,) = prometheus.instant("histogram_count(latency_seconds)", now)
    assert count.value == COUNT
    (half,) = prometheus.instant("histogram_quantile(0.5, latency_seconds)", now)
    assert 1 < half.value < 2 ** (1 / 8)


def test_itself_it_is_neither_a_number_nor_nothing(prometheus: Prometheus) -> None:
    now = datetime.now(UTC)
    with pytest.raises(UnfitAnswerError, match="gives native histograms where numbers are wanted"):
        prometheus.instant("latency_seconds", now)
    with pytest.raises(UnfitAnswerError, match="gives native histograms where numbers are wanted"):
        prometheus.range("latency_seconds", now - timedelta(seconds=5), now, timedelta(seconds=1))
