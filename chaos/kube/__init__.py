"""The one way into a cluster: what a game day asks of the Kubernetes API.

The only package of `chaos` that imports the official client. Foreign errors are translated here,
once, and here a request that was not answered, or not for good, is tried again.
"""

from chaos.kube.client import Cluster
from chaos.kube.errors import ClusterError, NotStartedError
from chaos.kube.kinds import KINDS, Json, Kind, Ref, kind_of
from chaos.kube.patience import Patience
from chaos.kube.quantities import milli, quantity, same_quantity
from chaos.kube.views import ClusterEvent, Pod, Workload
from chaos.kube.wire import Output

__all__ = [
    "KINDS",
    "Cluster",
    "ClusterError",
    "ClusterEvent",
    "Json",
    "Kind",
    "NotStartedError",
    "Output",
    "Patience",
    "Pod",
    "Ref",
    "Workload",
    "kind_of",
    "milli",
    "quantity",
    "same_quantity",
]
