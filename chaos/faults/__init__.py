"""The registry of faults: one entry and one file each, told apart by `kind`."""

from typing import Annotated, get_args

from pydantic import Field

from chaos.faults.bad_image import BadImage
from chaos.faults.base import Fault, NoTargetError, Scene
from chaos.faults.pod_kill import PodKill
from chaos.faults.scale_to_zero import ScaleToZero

_Any = BadImage | PodKill | ScaleToZero

AnyFault = Annotated[_Any, Field(discriminator="kind")]

FAULTS: dict[str, type[_Any]] = {
    get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(_Any)
}
"""By the name that plans call them."""

__all__ = ["FAULTS", "AnyFault", "Fault", "NoTargetError", "Scene"]
