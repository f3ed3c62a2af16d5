"""How a cluster is reached, and as whom: a kubeconfig, or the service account of our own pod."""

import os
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME
from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

from chaos.kube.errors import ClusterError

# https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
_AS = {"as": "Impersonate-User", "as-uid": "Impersonate-Uid", "as-groups": "Impersonate-Group"}


def connected(kubeconfig: str | None, context: str | None) -> client.ApiClient:
    """A client for the context, acting as whom its user impersonates. Raises ClusterError."""
    configuration = client.Configuration()
    # Told to come again later, we wait ourselves: the library would do so without a time limit.
    configuration.retries = urllib3.Retry(
        connect=2, read=0, redirect=0, backoff_factor=0.2, respect_retry_after_header=False
    )
    in_pod = os.environ.get(SERVICE_HOST_ENV_NAME) and not os.environ.get("KUBECONFIG")
    where = f" {kubeconfig}" if kubeconfig else ""
    headers: dict[str, str] = {}
    try:
        if in_pod and kubeconfig is None and context is None:
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        else:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                kubeconfig, context=context, client_configuration=configuration
            )
            headers = _impersonated(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION, context)
    except ClusterError:
        raise
    except Exception as error:  # the library takes a damaged file apart in any way
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ClusterError(f"no usable kubeconfig{where}: {reason}") from error
    found = client.ApiClient(configuration)
    for name, value in headers.items():
        found.set_default_header(name, value)  # type: ignore[no-untyped-call]
    return found


def _impersonated(path: str, context: str | None) -> dict[str, str]:
    """The headers of impersonation, which the client library leaves out."""
    merged = KubeConfigMerger(path).config.value  # type: ignore[no-untyped-call]
    wanted = context or merged["current-context"]
    chosen = _named(merged["contexts"], wanted).get("context") or {}
    user: dict[str, Any] = _named(merged["users"], chosen.get("user")).get("user") or {}
    if user.get("as-user-extra") or len(user.get("as-groups") or ()) > 1:
        raise ClusterError(
            f"user {chosen['user']} of the kubeconfig impersonates with 'as-user-extra' or several"
            " 'as-groups', which gameday cannot send: name one group or a user of its own"
        )
    found = {header: user[key] for key, header in _AS.items() if user.get(key)}
    return {h: v[0] if isinstance(v, list) else str(v) for h, v in found.items()}


def _named(items: Any, name: Any) -> dict[str, Any]:
    values = (getattr(item, "value", item) for item in items or ())
    return next((v for v in values if v.get("name") == name), {})
