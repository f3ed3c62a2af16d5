"""What is right is not found: the ways in which rules erred on other people's runbooks."""

import pytest

from tests.slo.runbook.lint.looking import look


def rules(text: str, language: str = "bash") -> set[str]:
    block = f"# A\n\n## Restart the pods\n\n```{language}\n{text}\n```\n"
    return {f.rule for f in look(block, exists=lambda _: False).findings}


@pytest.mark.parametrize(
    ("rule", "block"),
    [
        ("kubectl-unknown", "kubectl top nodes --sort-by=cpu"),
        ("kubectl-unknown", "kubectl create cronjob x --image=y --schedule='* * * * *'"),
        ("kubectl-unknown", "kubectl create deploy x --image=y --replicas=2"),
        ("kubectl-unknown", "kubectl krew install frob\nkubectl frob sync --all"),
        ("kubectl-unknown", "kubectl drain n1 --delete-local-data"),
        ("secret-printed", "kubectl get secret a -o jsonpath='{.data.ca\\.crt}' | base64 -d"),
        ("secret-printed", "kubectl get secret a -o yaml > a.yaml"),
        ("secret-printed", "kubectl get secret a -o yaml | kubectl apply -n b -f -"),
        ("secret-printed", "P=$(kubectl get secret a -o jsonpath='{.data.p}' | base64 -d)"),
        ("secret-printed", "kubectl get secret a -o jsonpath='{.metadata.labels}'"),
        ("annotate-without-overwrite", "kubectl label node n1 tier=gold"),
        ("step-never-ends", "kubectl port-forward svc/a 80:80 &\nkubectl delete po a"),
        ("step-never-ends", "f() {\n  kubectl proxy &\n  P=$!\n}\nkubectl delete po a"),
        ("interactive-shell", "kubectl exec -i a -- sh < fix.sh\nredis-cli ping"),
        ("broken-command", "promtool query instant http://localhost:9090 'up == 0'"),
        ("broken-command", "promtool query range --start=1 http://p:9090 up"),
        ("broken-command", "tree\n|  |  ├── seed"),
        ("deletes-all", "kubectl -n a delete pod --all"),
        ("missing-file", "helm get values a > v.yaml\nhelm upgrade a ./a -f v.yaml"),
        ("missing-file", "git clone https://x/y\nkubectl apply -f y/a.yaml"),
    ],
)
def test_a_command_that_is_right(rule: str, block: str) -> None:
    assert rule not in rules(block)


@pytest.mark.parametrize(
    ("rule", "block"),
    [
        ("kubectl-unknown", "kubectl top pods --sort=cpu"),
        ("kubectl-unknown", "kubectl delet pod a"),
        ("secret-printed", "kubectl get secret a -o jsonpath='{.data.password}' | base64 -d"),
        ("annotate-without-overwrite", "kubectl label po a x=1\nkubectl label po a x=2"),
        ("step-never-ends", "kubectl port-forward svc/a 80:80\nkubectl delete po a"),
        ("interactive-shell", "kubectl exec -it a -- sh\nredis-cli ping"),
        ("missing-file", "kubectl apply -f other.yaml"),
        ("broken-command", "kubectl exec deploy/p -- promtool query instant 'up == 0'"),
        ("command-deprecated", "redis-cli slaveof no one"),
        ("command-deprecated", "kubectl -n a get componentstatuses"),
        ("deletes-all", "kubectl delete pod --all"),
        ("deletes-all", "kubectl apply -f https://a/b --prune -l a=b"),
        ("command-removed", "kubectl -n rook get all -o wide --show-all"),
    ],
)
def test_a_command_that_is_wrong_is_found_still(rule: str, block: str) -> None:
    assert rule in rules(block)


@pytest.mark.parametrize(
    ("rule", "query"),
    [
        (
            "title-contradicts",
            "# p50, p90, p99\nhistogram_quantile(0.9, sum by (le) (a_bucket))",
        ),
        ("different-filters", 'a_bytes{job="x"} / on (instance) b_bytes'),
        (
            "divides-by-zero",
            "u / container_spec_cpu_quota > 0.8 and container_spec_cpu_quota > 0",
        ),
    ],
)
def test_a_query_that_is_right(rule: str, query: str) -> None:
    assert rule not in rules(query, "promql")


def test_one_cause_is_one_finding() -> None:
    found = look("## Drain\n\n1. `kubectl drain n1 --delete-local-data`\n").findings
    assert [f.rule for f in found] == ["command-removed"]
