"""The reference service's users, for Locust: one method for each endpoint.

Also a locustfile of its own: `locust -f loadtests/users.py --host http://...`. Importing this
module patches the process (gevent), so gameday imports it in the load worker alone.

A GET on a kept-alive connection that turns out to be closed is sent again on a new one, as browsers
do; a POST is not, and its failure is recorded (geventhttpclient's own rule).
"""

from collections import deque
from random import Random
from typing import Any

from locust import FastHttpUser, constant_throughput, task

WORDS = [
    "attestation",
    "evidence",
    "verified",
    "source",
    "witness",
    "dignity",
    "fairness",
    "balance",
    "service",
    "restored",
    "incident",
    "measured",
    "honest",
    "record",
    "quality",
    "careful",
    "review",
    "shared",
    "benefit",
    "lasting",
    "water",
    "energy",
    "community",
    "promise",
    "kept",
    "repair",
    "learning",
    "access",
    "open",
    "consent",
    "privacy",
    "safety",
    "steady",
    "method",
]
NOT_FOUND = 404
REMEMBERED = 500  # attestations whose relatives may be asked for


class ReferenceUser(FastHttpUser):
    """Bodies are drawn from `random`; give it a seed and the same requests come again."""

    wait_time = constant_throughput(1)
    random = Random()  # noqa: S311 - load, not secrets

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._known: deque[str] = deque(maxlen=REMEMBERED)

    def _text(self, least: int, most: int) -> str:
        count = self.random.randint(least, most)
        return " ".join(self.random.choice(WORDS) for _ in range(count)).capitalize() + "."

    @task(40)
    def score(self) -> None:
        self.client.post("/score", json={"content": self._text(20, 120)})

    @task(30)
    def search(self) -> None:
        self.client.post("/search", json={"text": self._text(3, 12), "k": 10})

    @task(10)
    def attest(self) -> None:
        answer = self.client.post("/attestations", json={"content": self._text(15, 60)})
        if answer.status_code in (200, 201):
            self._known.append(answer.json()["id"])

    @task(15)
    def related(self) -> None:
        """Relatives of one that is known; while none is, one is made instead.

        What is not there is a failure once: nobody relies on the others from before any more.
        """
        if not self._known:
            self.attest()
            return
        chosen = self.random.choice(self._known)
        path = f"/attestations/{chosen}/related"
        answer = self.client.get(path, name="/attestations/{id}/related")
        if answer.status_code == NOT_FOUND:
            self._known.clear()

    @task(5)
    def health(self) -> None:
        self.client.get("/health")
