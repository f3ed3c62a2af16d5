"""What kubectl understands: its verbs and their options, and a command read in those terms.

The table comes from the help of the real program where one is installed (slo.observe.kubectl), else
from kubectl.json, which `python -m slo.observe.kubectl PATH` writes from a given one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from slo.runbook.model import Command

# Other spellings of subcommands: kubectl takes "top pods" and "create deploy".
_ALIASES = {
    (verb, alias): name
    for verb, names in {
        "top": {"pod": "pods po", "node": "nodes no"},
        "create": {
            "namespace": "ns",
            "configmap": "cm",
            "deployment": "deploy dep deployments",
            "serviceaccount": "sa",
            "service": "svc",
            "poddisruptionbudget": "pdb",
            "ingress": "ing",
            "cronjob": "cj",
            "priorityclass": "pc",
            "resourcequota": "quota",
        },
        "config": {"use-context": "use", "rename-context": "rename"},
        "rollout": {"undo": "rollback"},
        "auth": {"can-i": "cani"},
    }.items()
    for name, aliases in names.items()
    for alias in aliases.split()
}
TABLE = Path(__file__).with_name("kubectl.json")


@dataclass(frozen=True, slots=True)
class Call:
    """A kubectl command taken apart. `verb` is "" if it has none, `sub` as in "rollout undo".

    `options` have their names without dashes; `unknown` are the options that the verb has not.
    """

    command: Command
    verb: str
    sub: str
    arguments: tuple[str, ...]
    options: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return self.options.get("namespace", "")

    def resources(self) -> list[tuple[str, str]]:
        """(kind as written, name) of the objects that are named; ("pods", "") for all of a kind."""
        # Not what is set: container=image, key=value, and key- to remove it.
        arguments = [a for a in self.arguments if "=" not in a and not a.endswith("-")]
        if self.verb in {"exec", "logs", "attach", "port-forward", "debug"}:
            return [_target(arguments[0], "pod")] if arguments else []
        if self.verb == "cp":
            found = [a.partition(":")[0] for a in arguments if ":" in a]
            return [("pod", a.rpartition("/")[2]) for a in found]
        if self.verb in {"create", "run", "apply", "config", "auth", "explain", "wait"} and (
            self.verb != "wait" or not arguments
        ):
            return []
        if not arguments:
            return []
        if "/" in arguments[0]:
            return [_target(a, "") for a in arguments if "/" in a]
        kinds, names = arguments[0], arguments[1:]
        return [(k, n) for k in kinds.split(",") for n in names or ("",)]


def _target(argument: str, default: str) -> tuple[str, str]:
    kind, slash, name = argument.partition("/")
    return (kind, name) if slash else (default, argument)


class Option(NamedTuple):
    name: str  # without dashes
    takes_value: bool


Options = dict[str, Option]
"""By how they are written: "-f" and "--follow" are the same one."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """`verbs` has the options of "get", "rollout undo", "create secret generic" and all others;
    `everywhere` those that every verb takes."""

    version: str
    everywhere: Options
    verbs: Mapping[str, Options]

    @classmethod
    def packaged(cls) -> "Kubectl":
        """The table that comes with us."""
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        verbs = {verb: _from_words(words) for verb, words in table["verbs"].items()}
        return cls(table["version"], _from_words(table["everywhere"]), verbs)

    def dump(self) -> str:
        """The table as `packaged` reads it."""
        verbs = {verb: _to_words(options) for verb, options in sorted(self.verbs.items())}
        table = {
            "version": self.version,
            "everywhere": _to_words(self.everywhere),
            "verbs": verbs,
        }
        return json.dumps(table, indent=1) + "\n"

    def read(self, command: Command) -> Call:
        """The command in kubectl's terms, whether or not kubectl would take it."""
        words = list(command.words[1:])
        if "--" in words:
            words = words[: words.index("--")]
        path: list[str] = []
        options: dict[str, str] = {}
        arguments: list[str] = []
        unknown: list[str] = []
        words.reverse()
        while words:
            word = words.pop()
            if word.startswith("-") and len(word) > 1:
                written, _, value = word.partition("=")
                option = self._option(path, written)
                if option is None and not word.startswith("--"):
                    option, value = self._letters(path, word, options)
                if option is None:
                    unknown.append(written)
                    options[written.lstrip("-")] = value
                    continue
                if option.takes_value and not value and "=" not in word and words:
                    value = words.pop()
                options[option.name] = value
            elif not path or " ".join((*path, _ALIASES.get((path[0], word), word))) in self.verbs:
                path.append(_ALIASES.get((path[0], word), word) if path else word)
            else:
                arguments.append(word)
        verb, sub = (path or [""])[0], " ".join(path[1:])
        if verb not in self.verbs:
            unknown = []  # of a verb that is unknown itself, nothing is known
        return Call(command, verb, sub, tuple(arguments), options, tuple(unknown))

    def _option(self, path: list[str], written: str) -> Option | None:
        """Options may stand before the verb that they belong to; those of any verb will do then."""
        if (found := self.everywhere.get(written)) is not None:
            return found
        if not path or path[0] not in self.verbs:
            return next((o[written] for o in self.verbs.values() if written in o), None)
        return self.verbs[" ".join(path)].get(written)

    def _letters(
        self, path: list[str], word: str, options: dict[str, str]
    ) -> tuple[Option | None, str]:
        """-it as -i -t, -nshop as -n shop."""
        for i in range(1, len(word)):
            option = self._option(path, f"-{word[i]}")
            if option is None or option.takes_value or i == len(word) - 1:
                return option, word[i + 1 :].removeprefix("=") if option else ""
            options[option.name] = ""
        return None, ""


def _to_words(options: Options) -> str:
    """ "--all --follow,-f --since=", with = where an option takes a value."""
    letters = {o.name: k for k, o in options.items() if not k.startswith("--")}
    words = [
        f"--{o.name}" + (f",{letters[o.name]}" if o.name in letters else "") + "=" * o.takes_value
        for o in sorted(set(options.values()))
    ]
    return " ".join(words)


def _from_words(words: str) -> Options:
    found: Options = {}
    for word in words.split():
        takes = word.endswith("=")
        spellings = word.rstrip("=").split(",")
        option = Option(spellings[0].removeprefix("--"), takes)
        found |= dict.fromkeys(spellings, option)
    return found
