"""Drills of a system's own: Python files in its folder, which no package can be in the way of.

Each file is a module of a package of ours that exists nowhere on the disk, so it has no name that
another module could have, and files may import one another (`from . import _shared`). Files whose
names begin with an underscore are for that alone.
"""

import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from chaos.prove.drills.base import Drill
from slo.documents import DocumentError
from slo.runbook.model import Procedure
from slo.system.parts import AnyPart

_PACKAGE = "_gameday_drills_"


def own_drills(folder: Path) -> tuple[type[Drill], ...]:
    """All of a folder, by file and by line; none where there is no such folder.

    Raises DocumentError, which names file and line.
    """
    if not folder.is_dir():
        return ()
    package = _package(folder.resolve())
    files = sorted(p for p in folder.glob("*.py") if not p.name.startswith("_"))
    return tuple(kind for file in files for kind in _drills_of(_load(package, file), file))


def check_choice(
    procedures: Sequence[Procedure], own: Sequence[type[Drill]], parts: Sequence[AnyPart]
) -> None:
    """Raises DocumentError where an own drill cannot say which procedures it is for."""
    for procedure in procedures:
        for kind in own:
            try:
                kind(parts).fits(procedure)
            except Exception as error:
                raise DocumentError(blame(error)) from error


def is_own(drill: Drill) -> bool:
    return type(drill).__module__.startswith(_PACKAGE)


def blame(error: BaseException) -> str:
    """Where in a system's own files an error came up: "file, line 3: KeyError: 'x'"."""
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    told = f"{name}: {error}" if str(error) else name
    for frame in reversed(frames):
        if _is_own_file(frame.filename):
            return f"{frame.filename}, line {frame.lineno}: {told}"
    return told


def _package(folder: Path) -> str:
    """The package that the folder's files are in. A new one each time: files may have changed."""
    name = _PACKAGE + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    for known in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[known]
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return name


def _load(package: str, file: Path) -> ModuleType:
    name = f"{package}.{file.stem}"
    if name in sys.modules:  # another file has imported it
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = f"{error.filename or file}, line {error.lineno or 1}"
        raise DocumentError(f"{where}: cannot be loaded: {error.msg}") from error
    except (Exception, SystemExit) as error:
        told = blame(error)
        where = told if str(file) in told else f"{file}, line 1: {told}"
        place, _, why = where.partition(": ")
        raise DocumentError(f"{place}: cannot be loaded: {why}") from error
    return module


def _drills_of(module: ModuleType, file: Path) -> Iterator[type[Drill]]:
    """Its public classes; cases of a drill are tried by that drill."""
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Drill)
        if value.__module__ == module.__name__ and not value.__name__.startswith("_")
    ]
    if not found:
        raise DocumentError(
            f"{file}, line 1: defines no drill; derive a class from chaos.prove.drills.Drill, or"
            " begin the file's name with an underscore"
        )
    cases = {case for kind in found for case in kind.cases}
    for kind in found:
        if kind in cases or kind.case:
            continue
        line = inspect.getsourcelines(kind)[1]
        if kind.fits is Drill.fits and not kind.topic:
            raise DocumentError(
                f"{file}, line {line}: class {kind.__name__} has neither a 'topic' nor a method"
                " 'fits', so it is for no procedure"
            )
        if kind.sights is Drill.sights and not kind.cases:
            raise DocumentError(
                f"{file}, line {line}: class {kind.__name__} has no method 'sights', which says"
                " what must hold once the procedure has done its work"
            )
        yield kind


def _is_own_file(filename: str) -> bool:
    own = (m for name, m in list(sys.modules.items()) if name.startswith(_PACKAGE))
    return any(getattr(m, "__file__", None) == filename for m in own)
