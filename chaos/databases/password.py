"""A database's password that a drill changes, and how the old one comes back."""

from dataclasses import dataclass, field

from chaos.databases.bolt import Bolt, BoltError, WrongPasswordError
from chaos.kube.system_under_test import SystemUnderTest


@dataclass(slots=True)
class PasswordBack:
    """Called until the database has the password `old`: true once it has.

    It asks a pod by its address, as the Service has no endpoint while the pod's own probes are
    refused. Where somebody tries wrong passwords all the time, only the next try after the lock
    gets an answer, so none is wasted on what is known. `why` says what the last try met. `pods` is
    a label selector, `port` and `user` are those of the database.
    """

    system: SystemUnderTest
    old: str = field(repr=False)
    new: str = field(repr=False)
    pods: str
    port: int
    user: str
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
        pods = [p for p in self.system.pods(self.pods) if p.ip]
        if not pods:
            raise BoltError(f"there is no pod with {self.pods}")
        bolt = Bolt(host=pods[0].ip, port=self.port, user=self.user)
        if self._changed:
            bolt.change_password(self.new, self.old)
            self._changed = False
            return True
        self._changed = not bolt.lets_in(self.old)
        return not self._changed
