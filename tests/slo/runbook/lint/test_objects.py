"""Manifests as the rules see them: what is there, what is implied, what cannot be read."""

from pathlib import Path

import pytest

from slo.documents import DocumentError
from slo.runbook.lint.objects import kind_of, read_manifests

INGRESS = """\
apiVersion: v1
kind: List
items:
  - apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: web
      namespace: shop
      annotations: {cert-manager.io/issuer: x}
    spec: {tls: [{secretName: web-tls}]}
---
kind: Kustomization
configMapGenerator: [{name: settings}]
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_objects_are_known_and_those_that_others_speak_of(tmp_path: Path) -> None:
    found = read_manifests(write(tmp_path, a=INGRESS))
    assert found.find("Ingress", "web") is not None
    assert found.names("Certificate") == found.names("Secret") == {"web-tls"}
    assert found.names("ConfigMap") == {"settings"}
    assert "shop" in found.names("Namespace")
    assert found.near("Ingress", "wep") == "web"


def test_a_template_is_passed_over_with_a_note(tmp_path: Path) -> None:
    found = read_manifests(write(tmp_path, a=INGRESS, b="kind: {{ .Values.kind }}\n"))
    assert found.notes == (f"{tmp_path}/b.yaml: a template, which was not read; render it first",)


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1\nb: 2\n", "bad.yaml, line 2: not valid YAML"), ("a: 1\n", "no Kubernetes object")],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read_manifests(write(tmp_path, bad=text))


@pytest.mark.parametrize(
    ("written", "kind"),
    [("svc", "Service"), ("deploy", "Deployment"), ("HPA", "HorizontalPodAutoscaler"), ("x", "")],
)
def test_kinds_in_any_spelling(written: str, kind: str) -> None:
    assert kind_of(written) == kind
