"""Ways out of a step that somebody has tried: each is refused before it runs, or contained."""

import sys
from pathlib import Path

import pytest

from chaos.kube.operator_account import _objects
from chaos.prove.shell import jail, syscalls
from chaos.prove.shell.allowlist import Ruling, objections
from chaos.prove.shell.program import refusal
from chaos.prove.shell.shell_session import SessionError, ShellSession, fences
from tests.chaos.prove.shell.test_shell_session import LIMIT_S, _all_are_gone


@pytest.mark.parametrize(
    "text",
    [
        "X='$(/bin/bash -c id)'\necho \"${X@P}\"",
        "echo ${X@E} ${X@A}",
        "echo ${!X}",
        'let "a[$(id)]=1"',
        "let x",
        "test -v 'a[$(id)]'",
        'test "-v" x',
        "o=-v; test $o 'a[0]'",
        'test "$o" "$x"',
        "[ -v 'a[$(id)]' ]",
        "[[ -v x ]]",
        "x='a[$(id)]'; [[ $x -eq 1 ]]",
        "[[ x -gt 1 ]]",
        "x='-v a[0]'; [ $x = y ]",
        "x='a[$(id)]'; echo $((x))",
        "echo $((x + 1))",
        "echo $(( $x ))",
        "((x++))",
        "for ((i=x; i<3; i++)); do echo $i; done",
        "x='a[$(id)]'; echo ${y:x:1}",
        "x='b[$(id)]'; echo ${a[x]}",
        "x='b[$(id)]'; a[x]=1",
        "a['$(id)']=1",
        "unset 'a[$(id)]'",
        "unset PATH",
        "declare -i x='a[$(id)]'",
        "declare -n r=PATH",
        'declare "PATH=/tmp"',
        "export $x",
        "export -f f",
        "typeset -i x",
        "read 'a[$(id)]'",
        "read PATH",
        "read $x",
        "mapfile -C 'kubectl delete ns shop #' -c 1 lines",
        "readarray -C id -c 1 lines",
        "printf -v 'a[$(id)]' x",
        "printf '-v' x y",
        'printf "$o" x y',
        "wait -p 'a[$(id)]'",
        "wait $x",
        "PS4='$(id)'",
        "PS4='$(id)' set -x",
        "for PS4 in '$(id)'; do set -x; done",
        "echo ${PS4:='$(id)'}",
        "set -m; sleep 1 &",
        "set -o monitor",
        "set -k",
        "BASH_ENV=x",
        "GLIBC_TUNABLES=x kubectl get pods",
        "https_proxy=http://127.0.0.1:1 kubectl get pods",
        "echo go | xargs bash",
        "echo go | xargs -I {} /lib64/ld-linux-x86-64.so.2 /usr/bin/id",
        "echo go | xargs -I {} {}",
        "echo go | xargs -n 1 timeout 3 bash",
        'echo go | xargs "$x"',
        "xargs $x kubectl",
        "timeout 3 bash -c id",
        "timeout -s KILL 3 python3",
        "watch -n 1 'eval id'",
        "coproc id",
        "enable -f ./x.so x",
        "shopt -s expand_aliases",
        "bind -x '\"a\":id'",
        "complete -C id x",
        "compgen -C id",
        "hash -p /bin/id cat",
        "fc -s",
        "jobs -x id",
        "echo leak > /dev/udp/127.0.0.77/5353",
        'echo $"$(id)"',
        "echo " + "$(echo " * 600 + "x" + ")" * 600,
        "a" * 70_000,
    ],
)
def test_what_is_not_known_to_be_harmless_does_not_run(text: str) -> None:
    assert objections(text), text


@pytest.mark.parametrize(
    "text",
    [
        'i=0\nwhile [ "$i" -lt 3 ]; do i=$((i+1)); done',
        "for i in {1..5}; do echo $((i*2)); done",
        "for ((i=0; i<3; i++)); do echo $i; done",
        "n=$(kubectl get pods -o name | wc -l)\nif [[ $n -gt 3 ]]; then echo many; fi",
        "r=$(kubectl get deploy api -o jsonpath='{.spec.replicas}')\necho $((r * 2))",
        'if [ $? -ne 0 ]; then echo "failed"; fi',
        'if [ -z "$POD" ] || [ "$POD" = "x" ]; then exit 1; fi',
        "if [[ -n $POD && $POD == web-* ]]; then echo x; fi",
        'test -f backup.tgz && test "$a" = "$b"',
        "set -euo pipefail",
        "set -x",
        "export NS=shop POD=$(kubectl get pods -o name | head -1)",
        "read -r name",
        "read -p 'Go on? ' answer",
        'while read -r pod; do kubectl delete "$pod"; done < pods',
        "mapfile -t pods < <(kubectl get pods -o name)\necho ${pods[0]} ${#pods[@]} ${pods[@]}",
        "printf '%s\\n' \"$x\"",
        'printf "\\033[0m%s" x',
        "pid=$!\nsleep 1 &\nwait $!",
        "echo ${x:-none} ${x%%.*} ${x#pod/} ${x//a/b} ${x^^} ${x:0:8}",
        "case $x in a|b) echo a;; *) echo b;; esac",
        "unset x",
        "kubectl get pods | grep -c Running || true",
        "(cd k8s && ls)",
        "kubectl get pods -o name | xargs -n 1 -I {} kubectl delete {}",
        "timeout 60 kubectl rollout status deploy/x",
        "watch -n 2 kubectl get pods",
    ],
)
def test_what_people_write_may_run(text: str) -> None:
    assert [o for o in objections(text) if o.ruling is Ruling.REFUSED] == []


@pytest.mark.parametrize(
    "words",
    [
        "get pods -As=https://127.0.0.1:6443 --insecure-skip-tls-verify=true",
        "get pods -A -s https://127.0.0.1:6443",
        "-shttps://127.0.0.1:1 get pods",
        "get pods --insecure-skip-tls-verify",
        "-n bizra-system proxy --port=18001",
        "--namespace bizra-system proxy",
        "--v 3 -n shop proxy",
        "-n shop config view",
        "apply -fhttps://example.org/x.yaml",
        "apply --filename=http://example.org/x.yaml",
        "apply -f=HTTPS://example.org/x.yaml",
        "apply -k https://github.com/a/b",
        "apply -k git@github.com:a/b",
        "create token default",
        "-n shop create token default",
        "get pods --as system:admin",
        "get pods --as-group=system:masters",
        "get pods --kuberc=x",
        "kustomize --enable-helm --helm-command ./x .",
        "port-forward --address=0.0.0.0 pod/x 8080",
    ],
)
def test_kubectl_is_kept_to_its_target_in_any_spelling(words: str) -> None:
    assert refusal(["kubectl", *words.split()])


@pytest.mark.parametrize(
    "words",
    [
        "-n shop get pods -o wide",
        "logs -f deploy/status",
        "logs -n shop -lapp=s",
        "apply -f s.yaml -n shop",
        "apply -fs.yaml",
        "patch deploy/x -p '{\"spec\":1}'",
        "get pods -nshop",
        "exec -it x -- curl -s http://localhost/health",
        "auth can-i --list --as=system:serviceaccount:shop:api",
        "create secret generic s --from-literal=token=x",
        "port-forward --address=localhost pod/x 8080",
    ],
)
def test_other_words_of_kubectl_are_its_own(words: str) -> None:
    assert refusal(["kubectl", *words.split()]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "set -m; sleep 3631 & sleep 0.2",
        "timeout 3631 sleep 3631 & sleep 0.2",
        "(timeout 3631 sleep 3631 &) ; sleep 0.2",
    ],
)
def test_what_leaves_the_group_of_its_step_ends_with_it(session: ShellSession, text: str) -> None:
    assert session.run(text, limit_s=LIMIT_S).exit_code == 0
    _all_are_gone("3631")


def test_a_program_with_a_group_of_its_own_ends_at_the_time_limit(session: ShellSession) -> None:
    assert session.run("timeout 3633 sleep 3633", limit_s=1.5).timed_out
    _all_are_gone("3633")


def python(session: ShellSession, code: str) -> str:
    """As whoever has got past the reading: any Python in the jail."""
    (session.scratch / "x.py").write_text(code)
    where = Path(sys.executable).resolve()
    return session.run(f"{where} -I -S x.py", limit_s=LIMIT_S).output


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import os; os.memfd_create('x')",
        "import os; os.unshare(0x10000000)",
        "import os; os.chroot('.')",
    ],
)
def test_system_calls_of_no_step_fail(session: ShellSession, code: str) -> None:
    told = python(session, code)
    assert "PermissionError" in told or "has no attribute" in told, told


def test_a_fork_bomb_meets_a_limit(session: ShellSession) -> None:
    code = (
        "import os, time\nfor i in range(2000):\n    if not os.fork(): time.sleep(60); os._exit(0)"
    )
    assert "BlockingIOError" in python(session, code)
    _all_are_gone("x.py")


def test_a_file_has_a_largest_size(session: ShellSession) -> None:
    code = f"f = open('big', 'wb'); f.seek({jail.FILE_SIZE}); f.write(b'xx'); f.flush()"
    assert python(session, code)
    assert (session.scratch / "big").stat().st_size <= jail.FILE_SIZE


def test_a_step_sees_nobody_elses_processes(session: ShellSession) -> None:
    code = "import os; print(os.getppid(), [p for p in range(1, 9) if not os.kill(p, 0)])"
    told = python(session, code)
    assert fences()["signals"] or "1 [" in told or "Error" in told, told


def test_what_a_step_puts_where_its_variables_are_kept_does_not_run(session: ShellSession) -> None:
    session.run("x=1\necho 'echo smuggled' | tee ../variables", limit_s=LIMIT_S)
    text = "trap - EXIT; x=1; echo 'declare -- x=\"$(echo smuggled)\"' | tee ../variables"
    session.run(text, limit_s=LIMIT_S)
    assert "smuggled" not in session.run('echo "[$x]"', limit_s=LIMIT_S).output


def test_files_that_lead_out_of_their_folder_are_refused(
    session: ShellSession, tmp_path: Path
) -> None:
    folder = tmp_path / "k8s"
    folder.mkdir()
    (folder / "inside.yaml").write_text("a: 1\n")
    (folder / "link.yaml").symlink_to("inside.yaml")
    session.place(folder)
    assert (session.scratch / "k8s/link.yaml").read_text() == "a: 1\n"
    (folder / "values.yaml").symlink_to("/etc/hostname")
    with pytest.raises(SessionError, match="leads out of"):
        session.place(folder)


def test_the_filter_is_whole_for_each_machine() -> None:
    for name, (_, _, _, _, calls) in syscalls.MACHINES.items():
        assert len(calls) == len(syscalls.NAMES), name
        assert len(syscalls.program(name)) % 8 == 0


def test_the_rights_of_the_account_leave_out_those_over_rights() -> None:
    role = next(m for ref, m in _objects("shop") if ref.kind.kind == "Role")
    verbs = {verb for rule in role["rules"] for verb in rule["verbs"]}
    assert not verbs & {"*", "bind", "escalate"}
