"""What a step may say, and what is refused before anything runs."""

import pytest

from chaos.prove.shell.allowlist import Ruling, assigned, objections


@pytest.mark.parametrize(
    "text",
    [
        "kubectl get pods -n shop",
        'kubectl patch deployment api -p \'{"spec":{"replicas":3}}\'',
        "for pod in $(kubectl get pods -o name); do\n  kubectl cp x shop/${pod#pod/}:/data/x\ndone",
        "kubectl create secret generic s --dry-run=client -o yaml | kubectl apply -f -",
        "kubectl get pods -o json | jq '.items[] | select(.spec.x==true)'",
        "kubectl apply -f - <<'EOF'\nkind: ConfigMap\nEOF",
        "kubectl get secret s -o yaml > copy.yaml 2>/dev/null",
        "kubectl exec api-0 -- rm -rf /tmp/x",  # in the container, where it is the runbook's matter
        'pod=$(kubectl get pods -o name | head -1); echo "$pod"',
        "kubectl get pods -o name | xargs -n 1 kubectl delete",
        "if kubectl get hpa api; then echo there; fi",
    ],
)
def test_what_operators_write_may_run(text: str) -> None:
    assert objections(text) == ()


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ('eval "$(echo cm0gLXJm | base64 -d)"', "eval runs text"),
        ("$(echo rm) -rf .", "by what it expands to"),
        ("X=rm; $X -rf .", "by what it expands to"),
        ("/bin/rm -rf /", "by its path"),
        ("\\rm -rf /", "by its path"),
        ("r''m -rf /", "by what it expands to"),
        (":(){ :|:& };:", "cannot be read|a function hides"),
        ("f() { kubectl delete ns shop; }; f", "a function hides"),
        ("python3 -c 'import os'", "runs anything"),
        ("bash -c 'id'", "runs anything"),
        ("command rm x", "passes by"),
        ("exec 3<>/dev/tcp/10.0.0.1/80", "replaces the shell|cannot be read"),
        ("trap 'kubectl delete pod x' EXIT", "at another time"),
        ("PATH=/tmp:$PATH", "sets PATH"),
        ("export LD_PRELOAD=./x.so", "sets LD_PRELOAD"),
        ("KUBECONFIG=/root/.kube/config kubectl get ns", "sets KUBECONFIG"),
        ("cat < /etc/shadow", "outside the step's own folder"),
        ("echo x > ../../x", "outside the step's own folder"),
        ('echo x > "$HOME/x"', "outside|expands"),
        ("echo api-0 | xargs sh -c 'id'", "xargs starts sh"),
        ("kill -9 1", "sends signals"),
        ("sudo kubectl get pods", "as somebody else"),
        ("cat <(python3 x)", "runs anything"),
        ("kubectl get pods && `which rm` x", "by what it expands to|which"),
    ],
)
def test_what_hides_its_intent_is_refused_with_the_reason(text: str, because: str) -> None:
    found = objections(text)
    assert found
    refused = [o for o in found if o.ruling is Ruling.REFUSED]
    assert refused
    assert any(part in o.reason for o in refused for part in because.split("|"))


@pytest.mark.parametrize("program", ["az", "aws", "docker", "helm", "curl"])
def test_a_program_that_is_not_here_is_said_to_be_absent(program: str) -> None:
    (found,) = objections(f"kubectl get pods\n{program} thing --do")
    assert found.ruling is Ruling.ABSENT
    assert found.reason == f"needs {program}, which is not here"
    assert found.line == 1


def test_what_cannot_be_read_is_refused() -> None:
    (found,) = objections("kubectl get pods | | (")
    assert found.ruling is Ruling.REFUSED
    assert "cannot be read" in found.reason


def test_variables_are_found_for_the_steps_that_follow() -> None:
    text = "pod=$(kubectl get pods -o name)\nfor x in 1 2; do y=$x; done"
    assert assigned(text) == ("pod", "x", "y")
