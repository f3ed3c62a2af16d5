"""What a command does to the system, told of its words: a drill runs only what reads."""

import pytest

from slo.runbook.model import Effect
from slo.runbook.reading.effects import effect_of
from slo.runbook.reading.shell import statements


def effect(text: str) -> Effect:
    return effect_of(tuple(c for s in statements(text) for c in s.commands), text)


@pytest.mark.parametrize(
    "text",
    [
        "kubectl get po -o name | xargs -n 1 kubectl delete -n a",
        "find /srv -mtime +3 -delete",
        "find . -name x -exec rm {} \\;",
        "awk '{system(\"rm \" $1)}' list",
        "sed -i s/a/b/ conf",
        "echo 1 > /proc/sys/vm/drop_caches",
        "curl --json '{}' http://a/b",
        "curl --data-binary @x http://a/b",
        "sudo -u postgres psql -c 'truncate t'",
        "kubectl exec a-0 -- psql -c 'delete from t'",
        "bash -c 'kubectl delete po a'",
        "docker compose -f x.yml down",
        "docker exec db psql -c 'drop table t'",
        "redis-cli flushdb",
        "mongosh --eval 'db.dropDatabase()'",
        "aws ec2 terminate-instances --instance-ids i-1",
        "velero restore create --from-backup b",
        "etcdctl del /a",
        "watch kubectl delete po a",
    ],
)
def test_these_change(text: str) -> None:
    assert effect(text) is Effect.CHANGES


@pytest.mark.parametrize(
    "text",
    [
        "docker compose ps",
        "docker compose -f x.yml logs api",
        "docker exec db pg_isready",
        "kubectl get po | xargs echo",
        "find /srv -name '*.log' | wc -l",
        "awk '{print $1}' list",
        "sed s/a/b/ conf 2>/dev/null",
        "kubectl get po > pods.txt",
        "psql -c 'select 1'",
        "aws s3 ls",
        "sudo -u root cat /etc/hosts",
        "timeout 5 kubectl get po",
        "redis-cli info",
    ],
)
def test_these_read(text: str) -> None:
    assert effect(text) is Effect.READS
