"""Keys of a cluster: a certificate authority, server certificates, tokens, a kubeconfig."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

USERS = {
    "admin": ("kubernetes-admin", ["system:masters", "system:authenticated"]),
    "controllers": ("system:kube-controller-manager", ["system:authenticated"]),
    "agent": ("system:node", ["system:nodes", "system:authenticated"]),
    "proxy": ("system:kube-proxy", ["system:node-proxier", "system:authenticated"]),
    "apiserver": ("kube-apiserver", ["system:masters", "system:authenticated"]),
}


@dataclass(frozen=True, slots=True)
class Kubeconfigs:
    """One file for each user of USERS that is a client."""

    admin: Path
    controllers: Path
    agent: Path
    proxy: Path


def write(directory: Path, api_host: str, api_port: int, nodes: list[str]) -> Kubeconfigs:
    """Keys below `directory`/pki, a kubeconfig for people beside it. `nodes` are addresses."""
    import trustme  # of the extra `embedded`: who runs on other clusters may lack it

    pki = directory / "pki"
    pki.mkdir(parents=True, mode=0o700)
    authority = trustme.CA(organization_name="gameday embedded cluster")
    authority.cert_pem.write_to_path(str(pki / "ca.crt"))
    for name, hosts in (("apiserver", [api_host, "localhost"]), ("kubelet", nodes)):
        certificate = authority.issue_cert(*hosts)
        certificate.private_key_pem.write_to_path(str(pki / f"{name}.key"))
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(str(pki / f"{name}.crt"), append=number > 0)
    tokens = {name: secrets.token_urlsafe(24) for name in USERS}
    listed = {
        tokens[name]: {"user": user, "groups": groups} for name, (user, groups) in USERS.items()
    }
    (pki / "tokens.json").write_text(json.dumps(listed, indent=1))
    (pki / "apiserver-kubelet.token").write_text(tokens["apiserver"])
    (pki / "sa.key").write_bytes(os.urandom(32))
    for path in pki.iterdir():
        path.chmod(0o644 if path.name == "ca.crt" else 0o600)
    server = f"https://{api_host}:{api_port}"
    paths = {}
    for name in ("admin", "controllers", "agent", "proxy"):
        path = directory / "kubeconfig" if name == "admin" else pki / f"{name}.kubeconfig"
        _write_kubeconfig(path, server, pki / "ca.crt", tokens[name])
        paths[name] = path
    return Kubeconfigs(**paths)


def _write_kubeconfig(path: Path, server: str, ca: Path, token: str) -> None:
    name = "gameday"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    with path.open("w") as file:
        YAML(typ="safe").dump(config, file)
