"""The open model for any Locust user: each arrival is one iteration of an idle user.

Locust's own loop runs each user (`User.run`, `TaskSet.run`): weights, sequences, nested task sets
and `interrupt` are its business. Only the pause between two tasks is ours: instead of `wait_time`
a user is idle there until an arrival comes. When all users are busy, up to the limit, arrivals wait
and are seen to be late (start after due).
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import gevent
from gevent import GreenletExit
from gevent.event import Event
from locust.user.task import DefaultTaskSet, TaskSet

from loadtests.patience import end_overdue
from loadtests.recorder import SEAT, Clock, Iteration, Recorder, Seat, current_seat

RESERVE = 10  # idle users of each class that have their on_start behind them


@dataclass(slots=True, eq=False)
class Kind:
    """A user class. `queue` holds when the arrivals that wait for one of its users were due."""

    user_class: Any
    share: float
    most: int  # users at a time
    idle: deque[Seat] = field(default_factory=deque)
    queue: deque[float] = field(default_factory=deque)
    starting: int = 0
    users: int = 0
    broken: str = ""  # why the last user could not start


class UserPool:
    """Users of the classes in `shares`, at most `limit` of them in an iteration at a time.

    A user who waits longer than `patience_s` for something has timed out (loadtests.patience).
    """

    def __init__(
        self,
        environment: Any,
        shares: Mapping[Any, float],
        *,
        limit: int,
        patience_s: float,
        seed: int,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._environment, self._limit, self._patience_s = environment, limit, patience_s
        self._recorder, self._clock = recorder, clock
        self._kinds = [
            Kind(c, share, min(limit, c.fixed_count or limit)) for c, share in shares.items()
        ]
        self._weights = [kind.share for kind in self._kinds]
        self._choose = Random(f"{seed}/mix")  # noqa: S311 - repeatable on purpose
        self._closed = False
        self._short = Event()  # there may be too few users
        self._working: set[Seat] = set()
        environment.events.user_error.add_listener(self._on_error)

    @property
    def busy(self) -> int:
        """Iterations in flight."""
        return len(self._working)

    @property
    def waiting(self) -> int:
        """Arrivals that no user has begun with."""
        return sum(len(kind.queue) for kind in self._kinds)

    def warm_up(self, seconds: float) -> str:
        """The first users start, for so long at most. Why none can; "" when some are ready."""
        gevent.spawn(self._keep_growing)
        gevent.spawn(end_overdue, self._working, self._patience_s, self._clock)
        self._short.set()
        with gevent.Timeout(seconds, exception=False):
            while any(k.starting or not (k.users or k.broken) for k in self._kinds):
                gevent.sleep(0.01)
        for kind in self._kinds:
            if not kind.idle and not kind.starting:
                return f"no user of {kind.user_class.__name__} can start: {kind.broken}"
        return ""

    def arrive(self, due: float) -> None:
        """An iteration is due; its user is of a class by the shares. Returns at once."""
        (kind,) = self._choose.choices(self._kinds, self._weights)
        kind.queue.append(due)
        self._dispatch()

    def close(self) -> None:
        """No more iterations begin: the arrivals that wait are recorded as not sent."""
        self._closed = True
        for kind in self._kinds:
            while kind.queue:
                self._recorder.not_sent(kind.queue.popleft())

    def abandon(self) -> None:
        """What is still in flight is given up, and recorded."""
        for seat in list(self._working):
            if seat.iteration is not None:
                what = seat.request if seat.limited else seat.task
                self._recorder.given_up(seat.iteration, what, self._patience_s)
                seat.iteration = None
        self._working.clear()

    def _dispatch(self) -> None:
        while self.busy < self._limit:
            able = [kind for kind in self._kinds if kind.queue and kind.idle]
            if not able:
                break
            kind = min(able, key=lambda k: k.queue[0])
            seat = kind.idle.popleft()  # who has been idle longest: each has its turn
            seat.iteration = Iteration(kind.queue.popleft(), self._clock())
            self._working.add(seat)
            seat.wake.set()
        self._short.set()

    def _keep_growing(self) -> None:
        """Users start before they are needed, as their on_start may take a while.

        In a greenlet of its own: a user's `__init__` is code of the locustfile, too.
        """
        while not self._closed:
            self._short.wait()
            self._short.clear()
            for kind in self._kinds:
                while self._needs_one(kind) and self._start(kind):
                    gevent.sleep(0)  # arrivals go on meanwhile

    def _needs_one(self, kind: Kind) -> bool:
        if self._closed:
            return False
        wanted = min(len(kind.queue), self._limit - self.busy) + RESERVE
        return len(kind.idle) + kind.starting < wanted and kind.users < kind.most

    def _start(self, kind: Kind) -> bool:
        try:
            user = kind.user_class(self._environment)
        except Exception as error:  # noqa: BLE001 - whatever the locustfile does
            self._no_start(kind, "__init__", error)
            return False
        seat = Seat(user, kind)
        kind.users += 1
        kind.starting += 1
        greenlet = user.start(self._environment.runner.user_greenlets)
        greenlet.spawn_tree_locals = {SEAT: seat}
        seat.greenlet = greenlet
        greenlet.rawlink(lambda ended: self._ended(seat, ended))
        return True

    def _no_start(self, kind: Kind, where: str, error: BaseException) -> None:
        """An arrival that waits for such a user is lost to this, and recorded as a failure."""
        kind.broken = f"{where} raised {type(error).__name__}: {error}"
        if kind.queue:
            iteration = Iteration(kind.queue.popleft(), self._clock())
            task = f"{kind.user_class.__name__}.{where}"
            self._recorder.task_failed(iteration, task, error)
            self._recorder.ended(iteration)

    def pause(self, seat: Seat) -> None:
        """In the user's greenlet, between two tasks: until the next arrival."""
        if not seat.started:
            seat.started = True
            seat.kind.starting -= 1
        self._over(seat)
        seat.kind.idle.append(seat)
        self._dispatch()
        try:
            if seat.wake.is_set():
                gevent.sleep(0)  # others have their turn
            seat.wake.wait()
        except GreenletExit:
            seat.leaving = True
            raise
        seat.wake.clear()

    def _over(self, seat: Seat) -> None:
        if seat.iteration is not None:
            self._recorder.ended(seat.iteration)
            seat.iteration = None
            self._working.discard(seat)

    def _ended(self, seat: Seat, greenlet: Any) -> None:
        """The user is gone: by itself (StopUser), by an error, or as the load ends."""
        kind = seat.kind
        kind.users -= 1
        if not seat.started:
            kind.starting -= 1
            self._no_start(kind, "on_start", greenlet.exception or GreenletExit("the user left"))
        if seat in kind.idle:
            kind.idle.remove(seat)
        if seat.iteration is not None and greenlet.exception is not None:
            self._recorder.task_failed(seat.iteration, seat.task, greenlet.exception)
        self._over(seat)
        if not self._closed and seat.started:
            self._dispatch()

    def _on_error(self, user_instance: Any, exception: BaseException, **_: object) -> None:
        del user_instance
        seat = current_seat()
        if seat is not None and seat.iteration is not None:
            self._recorder.task_failed(seat.iteration, seat.task, exception)


def patch_locust(pool: Callable[[], UserPool]) -> None:
    """Once in a process: between two tasks, and before the first, users wait for arrivals."""
    sleep = TaskSet._sleep  # noqa: SLF001

    def pause_between_tasks(self: Any, seconds: float) -> None:
        seat = current_seat()
        if seat is None or seat.in_task:  # a task that calls self.wait() means it
            sleep(self, seconds)
        else:
            pool().pause(seat)

    def named(execute: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def execute_task(self: Any, task: Any) -> None:
            seat = current_seat()
            if seat is None or hasattr(task, "tasks"):  # a nested task set has tasks of its own
                execute(self, task)
                return
            owner = self.user if isinstance(self, DefaultTaskSet) else self
            seat.task = f"{type(owner).__name__}.{getattr(task, '__name__', 'task')}"
            seat.in_task = True
            try:
                execute(self, task)
            finally:
                seat.in_task = False

        return execute_task

    def wait_for_the_first(self: Any) -> None:
        """The user's on_start is over."""
        seat = current_seat()
        if seat is not None:
            seat.in_task = False
            self.wait()

    TaskSet._sleep = pause_between_tasks  # noqa: SLF001
    TaskSet.execute_task = named(TaskSet.execute_task)
    DefaultTaskSet.execute_task = named(DefaultTaskSet.execute_task)
    DefaultTaskSet.on_start = wait_for_the_first
