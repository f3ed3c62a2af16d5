"""Stands on the PATH of a step under the name of each program that the step may call.

Looks at the words of the call as the shell has expanded them, writes down the call, and runs the
real program with what belongs to it. The standard library alone: it runs for every single call, in
the jail. SPEC.json beside it has `log`, `follow_s`, and for each program `path` and `environment`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

SPEC = "SPEC.json"
REFUSED = 126  # as a shell says of what it may not run

# An account of their own, another server, or the credentials themselves.
OTHER_IDENTITY = [
    "--kubeconfig",
    "--kuberc",
    "--insecure-skip-tls-verify",
    "--enable-helm",
    "--enable-exec",
    "--helm-command",
    "--context",
    "--cluster",
    "--user",
    "--server",
    "--token",
    "--client-key",
    "--client-certificate",
    "--certificate-authority",
    "--username",
    "--password",
    "--as-group",
    "--as-uid",
    "--raw",
    "--tls-server-name",
]
# Of curl: other settings, other servers, other certificates, other files.
OTHER_WAYS = [
    "abstract-unix-socket",
    "cacert",
    "capath",
    "cert",
    "config",
    "connect-to",
    "disable",
    "dns-interface",
    "dns-servers",
    "doh-url",
    "insecure",
    "interface",
    "libcurl",
    "next",
    "noproxy",
    "preproxy",
    "proto",
    "proto-redir",
    "proxy",
    "resolve",
    "socks4",
    "socks4a",
    "socks5",
    "socks5-hostname",
    "unix-socket",
]
FETCHED = re.compile(
    r"(?:-[fkR]+=?|--(?:filename|kustomize)=)?[a-z+]*(?:https?:|git@|://)", re.IGNORECASE
)
SHORT_WAYS = "qKxEk:"
SHORT_WITH_VALUE = "AbcCdDeEFhHKmoPQrtTuUwxXyYz"
NO_VERBS = {
    "config": "shows and changes credentials",
    "proxy": "opens the API server to everybody on this machine",
    "plugin": "runs other programs",
    "edit": "needs an editor and a person",
    "drain": "is about nodes, not about the namespace",
    "cordon": "is about nodes, not about the namespace",
    "uncordon": "is about nodes, not about the namespace",
    "taint": "is about nodes, not about the namespace",
}


def refusal(words: list[str]) -> str:
    """Why a call is not made; "" when it is. `words` starts with the program."""
    if words[0] == "curl":
        return _elsewhere(words)
    return _beyond(words) if words[0] == "kubectl" else ""


def _beyond(words: list[str]) -> str:
    """Where kubectl is told to act as somebody else, elsewhere, or for other machines."""
    mine = words[1 : words.index("--")] if "--" in words else words[1:]
    verbs = _verbs(mine)
    for word in mine:
        flag = word.partition("=")[0]
        if flag in OTHER_IDENTITY or _names_server(word, verbs):
            return f"{flag} reaches beyond the target of this run"
        if flag == "--as" and "can-i" not in mine:
            return "--as acts as somebody else"
        if FETCHED.match(word):
            return f"{word} is not a file beside the runbook"
        if flag == "--address" and word != "--address=localhost" and "127." not in word:
            return f"{word} opens a port to other machines: say --address=localhost"
    for verb in verbs:
        if verb in NO_VERBS:
            return f"kubectl {verb} {NO_VERBS[verb]}"
    if "create" in verbs and "token" in mine:
        return "kubectl create token makes credentials"
    return ""


def _verbs(words: list[str]) -> list[str]:
    """What kubectl may take for its verb: behind an option may stand its value, or the verb."""
    found = []
    for i, word in enumerate(words):
        if not word.startswith("-"):
            found.append(word)
            before = words[i - 1] if i else ""
            if not before.startswith("-") or "=" in before:
                break
    return found


def _names_server(word: str, verbs: list[str]) -> bool:
    """-s, alone or behind other letters, as in -As=https://…"""
    if not word.startswith("-") or word.startswith("--"):
        return False
    valued = "nolckLv" + ("" if "logs" in verbs else "f") + ("p" if "patch" in verbs else "")
    for letter in word[1:]:
        if letter == "s":
            return True
        if letter in valued or letter == "=":
            return False
    return False


def _elsewhere(words: list[str]) -> str:
    """Where curl is told to pass by the door that its settings name.

    As curl reads its words: long options may be shortened, short ones stand together up to the
    first that takes a value.
    """
    for word in words[1:]:
        name = word[2:].partition("=")[0] if word.startswith("--") else ""
        found = len(name) > 1 and any(known.startswith(name) for known in OTHER_WAYS)
        if word.startswith("-") and not word.startswith("--"):
            for letter in word[1:]:
                found = found or letter in SHORT_WAYS
                if letter in SHORT_WITH_VALUE:
                    break
        if found:
            return f"{word} leads elsewhere than to the users' door"
    return ""


def follows(words: list[str]) -> bool:
    """Does the call go on until somebody ends it?"""
    if words[0] != "kubectl":
        return words[0] == "watch" or (words[0] == "tail" and "-f" in words)
    mine = words[1 : words.index("--")] if "--" in words else words[1:]
    if "port-forward" in mine:
        return True
    if "logs" in mine:
        return any(w in {"-f", "--follow", "--follow=true"} for w in mine)
    return "get" in mine and any(
        w in {"-w", "--watch", "--watch=true", "--watch-only"} for w in mine
    )


def run(words: list[str], spec: dict[str, Any], program: dict[str, Any]) -> tuple[int, bool]:
    """The exit code, and whether it was ended after `follow_s` seconds."""
    environment = {**os.environ, **program["environment"]}
    child = subprocess.Popen([program["path"], *words[1:]], env=environment)
    if not follows(words):
        return child.wait(), False
    try:
        return child.wait(spec["follow_s"]), False
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return 0, True


def main() -> None:
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    with open(os.path.join(here, SPEC), encoding="utf-8") as file:
        spec = json.load(file)
    name = os.path.basename(sys.argv[0])
    words = [name, *sys.argv[1:]]
    started = time.time()
    why = refusal(words)
    if why:
        print(f"{name}: refused: {why}", file=sys.stderr, flush=True)
        code, ended = REFUSED, False
    else:
        code, ended = run(words, spec, spec["programs"][name])
    code = code if code >= 0 else 128 - code
    entry = {
        "words": words,
        "start": started,
        "seconds": time.time() - started,
        "exit_code": code,
        "refused": why,
        "followed": ended,
    }
    with open(spec["log"], "a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
