"""What must not be read in any output: the values of Secrets, as they are and encoded."""

import base64
import contextlib
from dataclasses import dataclass, field
from typing import Self

from chaos.kube import ClusterError
from chaos.kube.system_under_test import SystemUnderTest

SHORTEST = 6  # characters; less is a word like any other
MASK = "•••"


@dataclass(slots=True)
class SecretMask:
    values: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, system: SystemUnderTest) -> Self:
        found = cls()
        found.learn(system)
        return found

    def learn(self, system: SystemUnderTest) -> None:
        """Whatever the namespace's Secrets hold now; they may not be readable at all."""
        with contextlib.suppress(ClusterError):
            for values in system.secrets():
                self.add(*values)

    def add(self, *values: str) -> None:
        for value in values:
            if len(value) >= SHORTEST:
                self.values |= {value, base64.b64encode(value.encode()).decode()}

    def mask(self, text: str) -> str:
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text
