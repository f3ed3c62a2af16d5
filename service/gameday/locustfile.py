"""The reference service's users: one task for each endpoint.

An ordinary locustfile: `locust -f service/gameday/locustfile.py --host http://...` runs it as well.
"""

import random
from collections import deque

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
KNOWN: deque[str] = deque(maxlen=500)  # attestations whose relatives may be asked for


class ReferenceUser(FastHttpUser):
    """Users know each other's attestations, as they would from links."""

    wait_time = constant_throughput(1)

    def _text(self, least: int, most: int) -> str:
        count = random.randint(least, most)
        return " ".join(random.choice(WORDS) for _ in range(count)).capitalize() + "."

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
            KNOWN.append(answer.json()["id"])

    @task(15)
    def related(self) -> None:
        """Relatives of one that is known; while none is, one is made instead.

        What is not there is a failure once: nobody relies on the others from before any more.
        """
        if not KNOWN:
            self.attest()
            return
        chosen = random.choice(KNOWN)
        path = f"/attestations/{chosen}/related"
        answer = self.client.get(path, name="/attestations/{id}/related")
        if answer.status_code == NOT_FOUND:
            KNOWN.clear()

    @task(5)
    def health(self) -> None:
        self.client.get("/health")
