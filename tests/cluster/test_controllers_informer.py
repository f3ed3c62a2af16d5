"""The local copy: our own writes are seen at once, and never bring back what has gone."""

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from service.cluster.informer import Informer
from service.cluster.kube import PODS, GoneError
from tests.cluster.objects import Json


class Script:
    """Answers list and watch by what the test says, in the place of a Kube."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, Json] | Exception] = queue.Queue()
        self.items: list[Json] = []
        self.version = 10

    def list(self, *_: Any, **__: Any) -> Json:
        return {"items": self.items, "metadata": {"resourceVersion": str(self.version)}}

    def watch(self, *_: Any, **__: Any) -> Iterator[tuple[str, Json]]:
        while True:
            event = self.events.get(timeout=10)
            if isinstance(event, Exception):
                raise event
            yield event


def pod(version: int, name: str = "a", uid: str = "1") -> Json:
    meta = {"name": name, "namespace": "test", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta}


class Watched:
    def __init__(self, *items: Json) -> None:
        self.script = Script()
        self.script.items = list(items)
        self.told: queue.Queue[tuple[str, str]] = queue.Queue()
        self.informer = Informer(self.script, PODS)  # type: ignore[arg-type]
        self.informer.on_change(lambda kind, obj: self.told.put((kind, obj["metadata"]["uid"])))
        self.informer.start().synced.wait(5)
        for _ in items:
            self.told.get(timeout=5)

    def event(self, kind: str, obj: Json) -> None:
        """Hand an event to the informer, and wait until it has told of it."""
        self.script.events.put((kind, obj))
        assert self.told.get(timeout=5)[0] == kind

    @property
    def version(self) -> str | None:
        found = self.informer.get("a", "test")
        return found["metadata"]["resourceVersion"] if found else None


@pytest.fixture
def watched() -> Iterator[Watched]:
    found = Watched(pod(5))
    yield found
    found.informer.stop()
    found.script.events.put(("BOOKMARK", pod(99)))
    found.script.events.put(("ADDED", pod(100)))


def test_our_own_write_is_seen_before_the_watch_tells(watched: Watched) -> None:
    watched.informer.remember(pod(11))
    assert watched.version == "11"


def test_an_older_event_does_not_undo_our_write(watched: Watched) -> None:
    watched.informer.remember(pod(12))
    watched.event("MODIFIED", pod(11))
    assert watched.version == "12"
    watched.event("MODIFIED", pod(13))
    assert watched.version == "13"


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back(watched: Watched) -> None:
    watched.event("MODIFIED", pod(11))
    watched.event("DELETED", pod(12))
    watched.informer.remember(pod(11))
    assert watched.version is None


def test_a_deletion_does_not_take_the_successor_of_the_same_name(watched: Watched) -> None:
    watched.informer.remember(pod(14, uid="2"))
    watched.event("DELETED", pod(12))
    assert watched.version == "14"


def test_what_was_replaced_while_the_watch_was_broken_is_told_as_deleted(watched: Watched) -> None:
    watched.script.items, watched.script.version = [pod(20, uid="2")], 21
    watched.script.events.put(GoneError(410, "Expired", "too old"))
    assert watched.told.get(timeout=5) == ("DELETED", "1")
    assert watched.told.get(timeout=5) == ("ADDED", "2")


def test_our_own_write_while_the_watch_was_broken_is_told_after_the_next_list(
    watched: Watched,
) -> None:
    """Another controller acts on it: it must hear of a write that this process made."""
    watched.informer.remember(pod(20))
    watched.script.items, watched.script.version = [pod(20)], 21
    watched.script.events.put(GoneError(410, "Expired", "too old"))
    assert watched.told.get(timeout=5) == ("MODIFIED", "1")


def test_what_a_handler_failed_on_is_told_again() -> None:
    script, heard = Script(), queue.Queue[str]()
    failures = iter([OSError("the API server is away")])

    def handler(_: str, obj: Json) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        heard.put(obj["metadata"]["name"])

    script.items = [pod(5), pod(6, "b", "2")]
    informer = Informer(script, PODS)  # type: ignore[arg-type]
    informer.on_change(handler)
    informer.start()
    assert [heard.get(timeout=5), heard.get(timeout=5)] == ["a", "b"]
    informer.stop()
    script.events.put(("BOOKMARK", pod(99)))
    script.events.put(("ADDED", pod(100)))
