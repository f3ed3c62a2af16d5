"""Does a command read or change the system? By tables of what programs do; unknown is unknown."""

import re
from collections.abc import Callable

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
    cat ls grep egrep fgrep zgrep jq yq head tail wc sort uniq cut tr date echo printf
    test [ sleep true false which dig nslookup host ping ss netstat ps df du free uptime
    printenv id hostname stat file diff less more cd pwd export local set read
    seq basename dirname sha256sum md5sum base64 openssl promtool amtool top vmstat iostat
    lsof traceroute nc telnet pg_isready
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
        _set("info ping get dbsize lastsave keys scan ttl type exists llen role memory latency"),
        _CHANGES,
    ),
    "terraform": (_set("plan show output validate"), _CHANGES),
    "gh": (_set("status auth"), _UNKNOWN),
}
_GRAPH_WRITES = ("create", "merge", "delete", "set ", "drop", "stop ", "start ", "alter")


def worst(effects: list[Effect]) -> Effect:
    """A change outweighs what is not known, which outweighs reading; of nothing: unknown."""
    order = [_READS, _UNKNOWN, _CHANGES]
    return max(effects, key=order.index, default=_UNKNOWN)


# Into a file of the machine's own: not /dev/null, /tmp, or one in the working directory.
_WRITES_AWAY = re.compile(r">{1,2}\s*[\"']?(?:/(?!dev/(?:null|std|fd|tty)|tmp/)|~/)")


def effect_of(commands: tuple[Command, ...], text: str = "") -> Effect:
    """Of all of a step's commands; `text` is the step, for the files that it writes."""
    effects = [_of(c) for c in commands]
    if _WRITES_AWAY.search(text):
        effects.append(_CHANGES)
    return worst(effects)


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
    if (own := _OWN.get(program)) is not None and rest:
        return own(rest)
    if program in _SECOND:
        reading, otherwise = _SECOND[program]
        first = next((w.casefold() for w in rest if not w.startswith("-")), "")
        return _READS if first in reading else otherwise
    if program in _CHANGERS:
        return _CHANGES
    if "=" in program or program in _READERS or program in _OWN_READERS:
        return _READS
    return _UNKNOWN


_OWN_READERS = frozenset(("find", "awk", "gawk", "mawk", "sed", "curl", "wget", "http", "env"))


def _wrapper(rest: tuple[str, ...]) -> Effect:
    inner = _wrapped(rest)
    return _inside(inner) if inner else _UNKNOWN


def _awk(rest: tuple[str, ...]) -> Effect:
    writes = re.search(r"system\(|print.*>|\|\s*\"", " ".join(rest))
    return _CHANGES if writes else _READS


def _sed(rest: tuple[str, ...]) -> Effect:
    return _CHANGES if any(re.match(r"-\w*i|--in-place", w) for w in rest) else _READS


def _cypher(rest: tuple[str, ...]) -> Effect:
    changes = any(word in " ".join(rest).casefold() for word in _GRAPH_WRITES)
    return _CHANGES if changes else _READS


def _neo4j_admin(rest: tuple[str, ...]) -> Effect:
    return _READS if {"check", "report", "info"} & set(rest) else _CHANGES


_WRAPPERS = _set("sudo doas time nohup timeout env xargs watch nice stdbuf unbuffer chroot")
_CLIENTS = _set("psql mysql mariadb mongosh mongo sqlite3 clickhouse-client cqlsh sqlplus")
_CLOUDS = _set("aws az gcloud velero etcdctl vault consul argocd flux istioctl rabbitmqctl")
_READ_VERBS = re.compile(
    r"^(?:get|list|ls|describe|show|status|logs?|info|version|head|lookup|read|wait|endpoint|member"
    r"|health|query|search|inspect|check|analyze|list_\w+|get-.*|list-.*|describe-.*|head-.*)$"
)
_CHANGE_VERBS = re.compile(
    r"^(?:create|delete|del|put|update|set|add|remove|rm|apply|restore|backup|start|stop|restart"
    r"|reboot|deploy|sync|rollback|cp|mv|move-leader|defrag|compact|write|enable|disable|attach"
    r"|detach|terminate|scale|resize|purge\w*|stop_app|start_app|reset|snapshot|revoke|login|seal"
    r"|unseal|(?:create|delete|put|update|modify|run|start|stop|reboot|terminate|set|add|remove"
    r"|restore|reset|attach|detach|authorize|revoke|register|deregister)-.*)$"
)
_STATEMENT_WRITES = re.compile(
    r"\b(?:drop\w*|delete\w*|insert\w*|update\w*|alter|create\w*|truncate|grant|revoke|vacuum|reindex"
    r"|replace\w*|remove\w*|kill|set|call|copy|pg_(?:terminate|cancel|switch|promote)\w*|shutdown"
    r"|stepdown|reconfig|initiate)\b",
    re.IGNORECASE,
)
_STATEMENT_READS = re.compile(
    r"\b(?:select|show|explain|describe|find\w*|count\w*|stats|status)\b|\\\\?[dlcx]\w*\b|--version|-l\b",
    re.IGNORECASE,
)


def _inside(words: tuple[str, ...]) -> Effect:
    if words[0].rpartition("/")[2] in {"kubectl", "oc"}:
        inner = words[words.index("--") + 1 :] if "--" in words else ()
        return _kubectl(Command(words=words, line=0, inner=inner))
    return _program(words)


def _wrapped(rest: tuple[str, ...]) -> tuple[str, ...]:
    """The command that `sudo -u x`, `xargs -n 1` or `timeout 5` is given."""
    i = 0
    while i < len(rest):
        word = rest[i]
        takes = word in {"-u", "-g", "-n", "-I", "-P", "-L", "-s", "-k", "-d", "-a"}
        if word.startswith("-"):
            i += 2 if takes else 1
        elif re.fullmatch(r"\d+(?:\.\d+)?[smhd]?|\w+=.*|\{\}", word):
            i += 1
        else:
            break
    return rest[i:]


def _found(rest: tuple[str, ...]) -> Effect:
    for i, word in enumerate(rest):
        if word in {"-delete", "-fprint", "-fls", "-fprintf"}:
            return _CHANGES
        if word in {"-exec", "-execdir", "-ok", "-okdir"} and rest[i + 1 :]:
            return _inside(rest[i + 1 :])
    return _READS


def _docker(rest: tuple[str, ...]) -> Effect:
    what, *more = rest
    if what not in {"compose", "exec", "run"}:
        reading, otherwise = _SECOND["docker"]
        return _READS if what in reading else otherwise
    words = [w for w in more if not w.startswith("-")]
    if what == "compose":
        verb = next((w for w in words if w in _COMPOSE_READS | _COMPOSE_CHANGES), "")
        return _READS if verb in _COMPOSE_READS else _CHANGES
    if what == "exec" and len(words) > 1:
        return _inside(tuple(more[more.index(words[1]) :]))
    return _CHANGES


_COMPOSE_READS = _set("ps logs config images top ls port version events stats")
_COMPOSE_CHANGES = _set(
    "up down start stop restart rm kill pull push build run exec create pause unpause scale cp"
)


def _shell(rest: tuple[str, ...]) -> Effect:
    """What `bash -c "…"` runs; of a script or a session nothing is known."""
    from slo.runbook.reading.shell import statements

    if "-c" not in rest or rest.index("-c") + 1 >= len(rest):
        return _UNKNOWN
    text = rest[rest.index("-c") + 1]
    return effect_of(tuple(c for s in statements(text) for c in s.commands), text)


def _statement(rest: tuple[str, ...]) -> Effect:
    text = " ".join(rest)
    if _STATEMENT_WRITES.search(text):
        return _CHANGES
    return _READS if _STATEMENT_READS.search(text) else _UNKNOWN


def _by_verb(rest: tuple[str, ...]) -> Effect:
    words = [w for w in rest if not w.startswith("-")][:5]
    if any(_CHANGE_VERBS.match(w) for w in words):
        return _CHANGES
    return _READS if any(_READ_VERBS.match(w) for w in words) else _UNKNOWN


def _curl(rest: tuple[str, ...]) -> Effect:
    for i, word in enumerate(rest):
        method = rest[i + 1] if word in {"-X", "--request"} and i + 1 < len(rest) else ""
        method = method or word.removeprefix("-X") if word.startswith("-X") else method
        if method.upper() in {"POST", "PUT", "PATCH", "DELETE"}:
            return _CHANGES
    sends = any(
        w.startswith(("--data", "--json", "--form", "--upload", "--post", "-d", "-F", "-T"))
        and not w.startswith("-da")
        for w in rest
    )
    return _CHANGES if sends and "-G" not in rest else _READS


_OWN: dict[str, Callable[[tuple[str, ...]], Effect]] = {
    **dict.fromkeys(_WRAPPERS, _wrapper),
    **dict.fromkeys(_CLIENTS, _statement),
    **dict.fromkeys(_CLOUDS, _by_verb),
    **dict.fromkeys(("awk", "gawk", "mawk"), _awk),
    **dict.fromkeys(("docker", "podman", "nerdctl"), _docker),
    **dict.fromkeys(("bash", "sh", "zsh"), _shell),
    **dict.fromkeys(("curl", "wget", "http"), _curl),
    "docker-compose": lambda rest: _docker(("compose", *rest)),
    "find": _found,
    "sed": _sed,
    "cypher-shell": _cypher,
    "neo4j-admin": _neo4j_admin,
}
