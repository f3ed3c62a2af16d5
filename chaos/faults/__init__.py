"""The registry of faults: one entry and one file each, told apart by `kind`."""

from typing import Annotated, get_args

from pydantic import Field

from chaos.faults.bad_image import BadImage
from chaos.faults.base import Fault, NoTargetError, Scene
from chaos.faults.control_plane_hiccup import ControlPlaneHiccup
from chaos.faults.cpu_stress import CpuStress
from chaos.faults.crash_release import CrashRelease
from chaos.faults.file_damage import FileDamage
from chaos.faults.freeze import Freeze
from chaos.faults.memory_pressure import MemoryPressure
from chaos.faults.network_chaos import NetworkChaos
from chaos.faults.network_cut import NetworkCut
from chaos.faults.network_degrade import NetworkDegrade
from chaos.faults.node_drain import NodeDrain
from chaos.faults.oom import Oom
from chaos.faults.pod_evict import PodEvict
from chaos.faults.pod_kill import PodKill
from chaos.faults.scale_to_zero import ScaleToZero
from chaos.faults.set_env import SetEnv

_Any = (
    BadImage
    | ControlPlaneHiccup
    | CpuStress
    | CrashRelease
    | FileDamage
    | Freeze
    | MemoryPressure
    | NetworkChaos
    | NetworkCut
    | NetworkDegrade
    | NodeDrain
    | Oom
    | PodEvict
    | PodKill
    | ScaleToZero
    | SetEnv
)

AnyFault = Annotated[_Any, Field(discriminator="kind")]

FAULTS: dict[str, type[_Any]] = {
    get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(_Any)
}
"""By the name that plans call them."""

__all__ = ["FAULTS", "AnyFault", "Fault", "NoTargetError", "Scene"]
