"""One fault of an experiment, from the choice of its targets until nothing of it is left.

A drill runs in a thread of its own, so that faults can overlap and a probe that hangs holds up
nothing but itself. Undoing can be asked for from outside at any moment, and asked for twice.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chaos.faults import Fault, NoTargetError, Scene
from chaos.faults.changes import Await, Change, Delete
from chaos.faults.injection import InjectionError, NeverRanError, Tag, inject
from chaos.kube import ClusterError, Ref
from chaos.plan import forbidden
from chaos.run.journal_writer import JournalWriter
from chaos.undo.leftovers import Leftover, Stuck, Undone, undo
from chaos.undo.marks import FoundMark, Mark
from slo.evidence import journal as entries

POLL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a drill is to do: `fault`, `after` so long for `lasts`, in the name of `tag`.

    `label` tells it apart from the other faults of its experiment.
    """

    experiment: str
    fault: Fault
    tag: Tag
    after: timedelta
    lasts: timedelta
    label: str = ""


class FaultLifecycle:
    """`say` tells people; `now` is the clock of the journal."""

    def __init__(
        self,
        task: Task,
        scene: Scene,
        journal: JournalWriter,
        say: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._task, self._scene, self._journal = task, scene, journal
        self._say, self._now = say, now
        self._over = threading.Event()  # undo it now
        self._closed = threading.Event()  # nobody waits for the proof that it is gone any more
        self._injecting = threading.Lock()
        self._undoing = threading.Lock()
        self._left: dict[Ref, Leftover] = {}
        self._trouble = ""
        self._targets: tuple[entries.Target, ...] = ()
        self._injected = self._confirmed = self._restored = self._reverted = False
        self.stuck: list[Stuck] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=task.experiment, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def settled(self) -> bool:
        """Is what it changed put back, so that only the proof is missing?"""
        return self._restored or not self._thread.is_alive()

    @property
    def gone(self) -> bool:
        """Was it seen that nothing of it is left, or was nothing ever done?"""
        return self._reverted or (not self._injected and not self._thread.is_alive())

    def end(self, reason: str = "") -> None:
        """Undo it now, in the caller's thread: its own may wait for a probe."""
        self._over.set()
        with self._injecting:
            pass  # a change that is on its way arrives first
        self._undo(reason)

    def close(self, *, cut_short: bool = False) -> None:
        """Nobody waits any longer: what has not been seen by now was not seen.

        Where the run was cut short, there was no time to see it be whole again, and no blame.
        """
        self._over.set()
        self._closed.set()
        self._thread.join(POLL_EVERY_S)
        if self._injected and not self._confirmed:
            self._append(entries.FaultUnconfirmed, reason=self._not_seen())
            self._say(f"effect not confirmed: {self._not_seen()}")
        seen = self._confirmed or self._left
        if cut_short or self.stuck or self._reverted:
            return
        if self._injected and seen:
            names = ", ".join(sorted({t.owner or t.name for t in self._targets}))
            reason = f"all was put back, but {names} was not seen to be whole again"
            self._append(entries.FaultNotWhole, reason=reason)
            self._say(f"not whole again: {reason}")

    def _not_seen(self) -> str:
        return f"no effect was seen within {self._task.lasts.total_seconds():g} s{self._trouble}"

    # The thread

    def _run(self) -> None:
        try:
            if self._over.wait(self._task.after.total_seconds()) or not self._inject():
                return
            self._hold()
            self._undo("")
            if self._confirmed or self._left:
                self._wait_until_gone()
        except BaseException as error:
            self.failure = error
            self._undo(f"{type(error).__name__}: {error}")
            raise

    def _inject(self) -> bool:
        """Select, write down the intent, change. On an error, what was changed is put back."""
        fault, scene = self._task.fault, self._scene
        try:
            self._targets = fault.select(scene)
            wanted = fault.changes(scene, self._targets, self._task.tag)
            forbidden.check(scene, fault.kind, wanted)
            self._append(entries.FaultIntended, kind=fault.kind, targets=self._targets)
            for change in wanted:
                self._make(change)
        except (NoTargetError, InjectionError, ClusterError) as error:
            if isinstance(error, NeverRanError):
                self._left.pop(error.ref, None)
            self._say(f"fault refused: {error}")
            self._append(entries.FaultRefused, reason=str(error))
            self._undo("refused")
            return False
        self._injected = True
        self._append(entries.FaultInjected)
        self._say(f"injected {fault.kind}: {', '.join(t.name for t in self._targets)}")
        return True

    def _make(self, change: Change) -> None:
        """Unless it is over already; what has to be waited for holds up no undoing."""
        begun = time.monotonic()
        while not self._over.is_set():
            with self._injecting:
                if self._over.is_set():
                    return
                if inject(self._scene.cluster, change, self._task.tag, self._remember):
                    if isinstance(change, Delete):  # of the fault's own: nothing of it is left
                        self._left.pop(change.ref, None)
                    return
            if isinstance(change, Await) and time.monotonic() - begun > change.within_s:
                raise InjectionError(
                    f"{change.ref} is not ready after {change.within_s:g} s: {change.hint}"
                )
            self._over.wait(POLL_EVERY_S)

    def _hold(self) -> None:
        """Until its time is over, looking for the effect; no longer if nothing has to be undone."""
        deadline = time.monotonic() + self._task.lasts.total_seconds()
        while not self._over.is_set() and (left := deadline - time.monotonic()) > 0:
            if not self._confirmed:
                self._look()
            if self._confirmed and not self._left:
                return
            self._over.wait(left if self._confirmed else min(left, POLL_EVERY_S))

    def _look(self) -> None:
        try:
            evidence = self._task.fault.effect(self._scene, self._targets)
        except ClusterError as error:
            self._trouble = f"; the last look failed: {error}"
            return
        self._trouble = ""
        if evidence and not self._restored:
            self._confirmed = True
            self._append(entries.FaultConfirmed, evidence=evidence)
            self._say(f"effect confirmed: {evidence}")

    def _undo(self, reason: str) -> None:
        with self._undoing:
            if self._restored or self.stuck:
                return
            if self._left:
                self._append(entries.FaultEnding, reason=reason)
                self._put_back()
            self._restored = not self.stuck

    def _put_back(self) -> None:
        said: list[str] = []
        for leftover in reversed(self._left.values()):
            done = undo(self._scene.cluster, leftover)
            if isinstance(done, Undone):
                said += [done.said, *done.notes]
                continue
            self.stuck.append(done)
            self._say(f"cannot be undone: {done}")
            self._append(entries.FaultStuck, reason=str(done))
        if not self.stuck:
            self._append(entries.FaultRestored, said=tuple(said))

    def _wait_until_gone(self) -> None:
        while not self._closed.is_set() and not self.stuck:
            evidence = None
            with contextlib.suppress(ClusterError):  # asked again in a moment
                evidence = self._task.fault.undone(self._scene, self._targets)
            if evidence:
                self._reverted = True
                self._append(entries.FaultReverted, evidence=evidence)
                self._say(f"whole again: {evidence}")
                return
            self._closed.wait(POLL_EVERY_S)

    def _remember(self, ref: Ref, uid: str, mark: Mark) -> None:
        found = FoundMark(id=mark.id, mark=mark, expires=self._task.tag.expires)
        self._left[ref] = Leftover(ref=ref, uid=uid, found=found, remembered=True)

    def _append(self, entry: Callable[..., entries.Entry], **fields: object) -> None:
        self._journal.append(
            entry(
                time=self._now(),
                experiment=self._task.experiment,
                fault=self._task.label,
                **fields,
            )
        )
