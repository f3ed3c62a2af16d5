"""The one way into a cluster: what a game day asks of the Kubernetes API.

The only package of `chaos` that imports the official client. Foreign errors are translated here,
once, and here a request that was not answered, or not for good, is tried again.
"""

from chaos.cluster.client import Cluster
from chaos.cluster.errors import ClusterError
from chaos.cluster.kinds import KINDS, Json, Kind, Ref, kind_of
from chaos.cluster.patience import Patience
from chaos.cluster.quantities import milli, quantity, same_quantity
from chaos.cluster.views import ClusterEvent, Pod, Workload
from chaos.cluster.wire import Output

__all__ = [
    "KINDS",
    "Cluster",
    "ClusterError",
    "ClusterEvent",
    "Json",
    "Kind",
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
