"""The registry of faults: one entry and one file each."""

from chaos.faults.base import Fault, NoTargetError
from chaos.faults.pod_kill import PodKill

# A union discriminated by `kind` as soon as there is a second one.
AnyFault = PodKill

__all__ = ["AnyFault", "Fault", "NoTargetError", "PodKill"]
