"""Protobuf bodies, as the real kubectl writes them: read into what kubectl itself shows as JSON."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.apiserver.protobuf import MAGIC, DecodeError, decode
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

CREATES = {
    "namespace": "create namespace shop",
    "deployment": "create deployment web --image=busybox --replicas=0 --port=80 -- sleep 5",
    "config map": "create configmap settings --from-literal=a=b --from-literal=c=",
    "secret": "create secret generic password --from-literal=key=s3cret",
    "image secret": "create secret docker-registry pull --docker-server=r --docker-username=u"
    " --docker-password=p",
    "service account": "create serviceaccount robot",
    "role": "create role reader --verb=get,list --resource=pods,deployments.apps",
    "cluster role": "create clusterrole paths --verb=get --non-resource-url=/metrics",
    "role binding": "create rolebinding readers --role=reader --serviceaccount=default:robot",
    "cluster binding": "create clusterrolebinding all --clusterrole=view --group=people",
    "job": "create job once --image=busybox -- true",
    "cron job": "create cronjob daily --image=busybox --schedule=@daily -- true",
    "service": "create service nodeport front --tcp=80:web --node-port=30080",
    "budget": "create poddisruptionbudget half --selector=app=web --min-available=50%",
    "quota": "create quota small --hard=cpu=1,memory=1Gi,pods=2",
    "ingress": "create ingress door --rule=example.org/*=front:80,tls=cert --class=nginx",
    "priority": "create priorityclass low --value=-5 --description=low",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("protobuf") / "server") as running:
        yield running


def contains(whole: Any, part: Any) -> bool:
    """Everything that `part` says, empty values aside, stands in `whole` too."""
    if isinstance(part, dict):
        told = {k: v for k, v in part.items() if v not in (None, {}, [])}
        return all(k in whole and contains(whole[k], v) for k, v in told.items())
    if isinstance(part, list):
        pairs = zip(whole, part, strict=True)
        return len(whole) == len(part) and all(contains(w, p) for w, p in pairs)
    return bool(whole == part)


@pytest.mark.parametrize("command", CREATES.values(), ids=CREATES.keys())
def test_what_kubectl_creates_arrives_whole(server: RunningApiServer, command: str) -> None:
    meant, separator, rest = command.partition(" -- ")
    local = f"{meant} --dry-run=client -o json{separator}{rest}"
    stored = f"{meant} -o json{separator}{rest}"
    expected = json.loads(server.kubectl(*local.split()))
    found = json.loads(server.kubectl(*stored.split()))
    expected.pop("status", None)
    assert contains(found, expected)


def test_another_kind_is_refused_with_its_name() -> None:
    meta = b"\x0a\x02v1\x12\x07Unknown"
    body = MAGIC + b"\x0a" + bytes([len(meta)]) + meta
    with pytest.raises(DecodeError, match="Unknown in version v1"):
        decode(body)


@given(st.binary())
def test_no_bytes_do_more_harm_than_an_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(MAGIC + data)
