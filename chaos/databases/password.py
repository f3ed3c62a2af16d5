"""A database's password that a drill changes, and how the old one comes back."""

from dataclasses import dataclass, field, replace

from chaos.databases.bolt import BoltError, WrongPasswordError
from chaos.databases.identity import bolt_of
from chaos.kube.system_under_test import SystemUnderTest

GRAPH_POD = "neo4j"  # the label "app" of the database's pods


@dataclass(slots=True)
class PasswordBack:
    """Called until the database has the password `old`: true once it has.

    It asks a pod by its address, as the Service has no endpoint while the pod's own probes are
    refused. Where somebody tries wrong passwords all the time, only the next try after the lock
    gets an answer, so none is wasted on what is known. `why` says what the last try met.
    """

    system: SystemUnderTest
    old: str = field(repr=False)
    new: str = field(repr=False)
    why: str = "nobody asked"
    _changed: bool = False  # the old one was refused
    _hopeless: bool = False  # so was the new one, and a third one cannot be guessed

    def __call__(self) -> bool:
        if self._hopeless:
            return False
        try:
            return self._asked()
        except WrongPasswordError as error:
            self.why, self._hopeless = f"{error}, the old one and the new one", True
        except BoltError as error:
            self.why = str(error)
        return False

    def _asked(self) -> bool:
        pods = [p for p in self.system.pods(f"app={GRAPH_POD}") if p.ip]
        if not pods:
            raise BoltError(f"there is no pod of {GRAPH_POD}")
        bolt = replace(bolt_of(self.system), host=pods[0].ip)
        if self._changed:
            bolt.change_password(self.new, self.old)
            self._changed = False
            return True
        self._changed = not bolt.lets_in(self.old)
        return not self._changed
