"""Does a command read or change the system? By tables of what programs do; unknown is unknown."""

from slo.runbook.model import Command, Effect


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_READS, _CHANGES, _UNKNOWN = Effect.READS, Effect.CHANGES, Effect.UNKNOWN

KUBECTL_READS = _set(
    """
    get describe logs top explain diff events version cluster-info api-resources api-
    versions port-forward proxy wait options completion kustomize
    """
)
KUBECTL_CHANGES = _set(
    """
    apply create delete edit patch replace scale set annotate label autoscale expose run
    cordon uncordon drain taint cp attach debug
    """
)
_KUBECTL_SECOND = {
    ("rollout", "status"): _READS,
    ("rollout", "history"): _READS,
    ("auth", "can-i"): _READS,
    ("auth", "whoami"): _READS,
    ("config", "view"): _READS,
    ("config", "get-contexts"): _READS,
    ("config", "current-context"): _READS,
}
_READERS = _set(
    """
    cat ls grep egrep fgrep zgrep jq yq head tail wc sort uniq cut tr awk date echo printf
    test [ sleep true false which dig nslookup host ping ss netstat ps df du free uptime env
    printenv id hostname find stat file diff less more cd pwd export local set read watch
    seq basename dirname sha256sum md5sum base64 openssl promtool amtool top vmstat iostat
    lsof traceroute nc telnet xargs
    """
)
_CHANGERS = _set(
    """
    rm mv cp mkdir touch chmod chown ln dd tee systemctl service reboot shutdown kill pkill
    killall terraform ansible ansible-playbook tar rsync scp apt apt-get yum dnf pip npm
    """
)
_SECOND = {
    "docker": (_set("ps images logs inspect stats version info"), _CHANGES),
    "helm": (
        _set("list ls status history get show search template version"),
        _CHANGES,
    ),
    "git": (_set("status log diff show fetch clone"), _CHANGES),
    "systemctl": (_set("status is-active list-units show cat"), _CHANGES),
    "redis-cli": (
        _set("info ping get dbsize lastsave keys scan"),
        _UNKNOWN,
    ),
    "terraform": (_set("plan show output validate"), _CHANGES),
    "gh": (_set("status auth"), _UNKNOWN),
}
_GRAPH_WRITES = ("create", "merge", "delete", "set ", "drop", "stop ", "start ", "alter")


def worst(effects: list[Effect]) -> Effect:
    """A change outweighs what is not known, which outweighs reading; of nothing: unknown."""
    order = [_READS, _UNKNOWN, _CHANGES]
    return max(effects, key=order.index, default=_UNKNOWN)


def effect_of(commands: tuple[Command, ...]) -> Effect:
    return worst([_of(c) for c in commands])


def _of(command: Command) -> Effect:
    if command.program in {"kubectl", "oc"}:
        return _kubectl(command)
    return _program(command.words)


def _kubectl(command: Command) -> Effect:
    words = [w for w in command.words[1:] if not w.startswith("-")]
    options = {
        w.partition("=")[0]: w.partition("=")[2] for w in command.words if w.startswith("--")
    }
    if options.get("--dry-run") in {"client", "server"}:
        return _READS
    if "exec" in words:
        return _program(command.inner) if command.inner else _UNKNOWN
    verb = next((w for w in words if w in KUBECTL_READS | KUBECTL_CHANGES), None)
    for pair, effect in _KUBECTL_SECOND.items():
        if all(part in words for part in pair):
            return effect
    if _copies_out(words):
        return _READS
    if {"rollout", "config", "auth"} & set(words):
        return _CHANGES
    if verb is None:
        return _UNKNOWN
    return _READS if verb in KUBECTL_READS else _CHANGES


def _copies_out(words: list[str]) -> bool:
    """`cp pod:/path ./here` takes from the pod; the other way round it puts into it."""
    paths = words[words.index("cp") + 1 :] if "cp" in words else []
    return len(paths) > 1 and ":" in paths[0] and ":" not in paths[1]


def _program(words: tuple[str, ...]) -> Effect:
    program = words[0].rpartition("/")[2]
    rest = words[1:]
    if program in {"sudo", "time", "nohup", "timeout", "env"} and rest:
        return _program(rest) if not rest[0].startswith("-") else _UNKNOWN
    if program in _SECOND:
        reading, otherwise = _SECOND[program]
        first = next((w.casefold() for w in rest if not w.startswith("-")), "")
        return _READS if first in reading else otherwise
    if program in {"curl", "wget", "http"}:
        return _curl(rest)
    if program == "cypher-shell":
        changes = any(word in " ".join(rest).casefold() for word in _GRAPH_WRITES)
        return _CHANGES if changes else _READS
    if program == "neo4j-admin":
        return _READS if {"check", "report", "info"} & set(rest) else _CHANGES
    if program in _CHANGERS:
        return _CHANGES
    if "=" in program or program in _READERS:
        return _READS
    return _UNKNOWN


def _curl(rest: tuple[str, ...]) -> Effect:
    for i, word in enumerate(rest):
        method = rest[i + 1] if word in {"-X", "--request"} and i + 1 < len(rest) else ""
        method = method or word.removeprefix("-X") if word.startswith("-X") else method
        if method.upper() in {"POST", "PUT", "PATCH", "DELETE"}:
            return _CHANGES
    sends = any(w in {"-d", "--data", "--data-raw", "-F", "--form", "-T"} for w in rest)
    return _CHANGES if sends and "-G" not in rest else _READS
