"""Loads a locustfile as Locust does, and says in one sentence what is wrong with it.

Importing this module imports Locust, which patches the process.
"""

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import locust
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.user.task import TaskSet
from locust.util.load_locustfile import load_locustfile

from loadtests.weights import repeated


class LocustfileError(Exception):
    """The locustfile cannot be used as the scenario wants it; the message is one sentence."""


def user_classes_in(path: Path) -> list[Any]:
    """The user classes that the file defines. Its folder is first on sys.path from here on.

    Raises LocustfileError.
    """
    folder = str(path.parent)
    sys.path.insert(0, folder)
    try:
        found, _ = load_locustfile(str(path))  # a load shape is not used: the scenario has stages
    except SyntaxError as error:
        place = f"{error.filename or path}, line {error.lineno}"
        raise LocustfileError(f"{place}: not valid Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise LocustfileError(f"{_place(path, error)}: cannot be imported: {what}") from error
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    if not found:
        raise LocustfileError(
            f"{path}: there is no user class in it, a class that is based on locust.HttpUser,"
            " FastHttpUser or User"
        )
    return list(found.values())


def _place(path: Path, error: BaseException) -> str:
    """File and line of the innermost frame that is in the locustfile's folder."""
    folder = path.parent.resolve()
    places = [
        f"{frame.filename}, line {frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).resolve().is_relative_to(folder)
        and "site-packages" not in frame.filename
    ]
    return places[-1] if places else str(path)


def environment_of(
    path: Path | None,
    classes: Sequence[Any],
    url: str,
    *,
    tags: Sequence[str] = (),
    exclude_tags: Sequence[str] = (),
) -> Any:
    """Locust's Environment with a runner; tasks are chosen by tags, `init` has been fired.

    `url` is what --host is for Locust: it takes the place of `host` in all classes. Raises
    LocustfileError.
    """
    arguments = ["--headless", "--host", url, *(("-f", str(path)) if path else ())]
    sys.argv = ["locust", *arguments]  # what a locustfile that reads it expects
    try:
        options = get_parser().parse_args(arguments)
        environment = Environment(
            user_classes=list(classes),
            events=locust.events,
            locustfile=path.name if path else None,
            host=url,
            tags=list(tags) or None,
            exclude_tags=list(exclude_tags) or None,
            parsed_options=options,
            available_user_classes={c.__name__: c for c in classes},
        )
    except (ValueError, SystemExit) as error:
        raise LocustfileError(f"{path or 'requests'}: Locust does not take it: {error}") from error
    for user_class in environment.user_classes:
        user_class.host = url
    _choose_tasks(path, environment, [*tags, *exclude_tags])
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    return environment


def _choose_tasks(path: Path | None, environment: Any, tags: Sequence[str]) -> None:
    idle = [c for c in environment.user_classes if not c.tasks]
    if idle:
        raise LocustfileError(f"{path}: the user class {idle[0].__name__} has no task")
    environment._filter_tasks_by_tags()  # noqa: SLF001 - Locust's runner does it at its start
    environment.user_classes[:] = [c for c in environment.user_classes if c.tasks]
    if not environment.user_classes:
        raise LocustfileError(f"{path}: no task is left by the tags {', '.join(tags)}")


def shares_of(
    path: Path | None, classes: Sequence[Any], mix: Mapping[str, float] | None, limit: int
) -> dict[Any, float]:
    """What share of the arrivals each user class has; `mix` by tasks also sets their tasks.

    Without a mix as Locust with `limit` users would have it: `fixed_count` of them where a class
    says so, the others by `weight`. Raises LocustfileError for a name that is not there.
    """
    if mix is None:
        fixed = {c: float(c.fixed_count) for c in classes if c.fixed_count > 0}
        rest = {c: float(c.weight) for c in classes if c.fixed_count <= 0}
        left = max(0.0, limit - sum(fixed.values()))
        total = sum(rest.values()) or 1.0
        shares = fixed | {c: left * weight / total for c, weight in rest.items()}
        return {c: share for c, share in shares.items() if share > 0}
    by_class = {c.__name__: c for c in classes}
    if set(mix) <= set(by_class):
        return {by_class[name]: weight for name, weight in mix.items() if weight > 0}
    tasks = _tasks_by_name(classes)
    for name in mix:
        if name not in tasks:
            known = ", ".join([*by_class, *tasks])
            mixed = " beside tasks" if name in by_class else ""
            raise LocustfileError(
                f"'mix' has the name {name!r}{mixed}, which is no task of"
                f" {path.name if path else 'requests'}; give user classes or tasks: {known}"
            )
    shares = {}
    for user_class in classes:
        own = {t: mix[n] for n, (c, t) in tasks.items() if c is user_class and mix.get(n)}
        if own:
            user_class.tasks = repeated(list(own), list(own.values()))
            shares[user_class] = sum(own.values())
    return shares


def _tasks_by_name(classes: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
    """The tasks of the classes: `task` where one class alone has it, else `Class.task`."""
    named = [(c, t, _name(t)) for c in classes for t in dict.fromkeys(c.tasks)]
    names = [name for *_, name in named]
    return {
        name if names.count(name) == 1 else f"{c.__name__}.{name}": (c, t) for c, t, name in named
    }


def _name(task: Any) -> str:
    if isinstance(task, type) and issubclass(task, TaskSet):
        return task.__name__
    return str(getattr(task, "__name__", task))
