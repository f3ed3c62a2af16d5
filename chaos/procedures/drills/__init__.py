"""The registry of drills: one entry and one file for each condition that a procedure is for."""

from chaos.procedures.drills.base import ASKED_FOR, Drill, Stage
from chaos.procedures.drills.blue_green import BlueGreen
from chaos.procedures.drills.certificate import CertificateRenewal
from chaos.procedures.drills.crash_loop import CrashLoop
from chaos.procedures.drills.debug_mode import DebugOff, DebugOn
from chaos.procedures.drills.graph import GraphBackup, GraphRecovery
from chaos.procedures.drills.graph_away import GraphAway
from chaos.procedures.drills.health import Health
from chaos.procedures.drills.image_pull import ImagePull
from chaos.procedures.drills.maintenance import MaintenanceOff, MaintenanceOn
from chaos.procedures.drills.oom_killed import OomKilled
from chaos.procedures.drills.reading import Looking
from chaos.procedures.drills.rollback import Rollback
from chaos.procedures.drills.rollout import BiggerPods, NewVersion
from chaos.procedures.drills.scale_up import ScaleUp
from chaos.procedures.drills.secret_rotation import SecretRotation
from chaos.procedures.drills.vectors import VectorRecovery
from slo.reading.model import Procedure

__all__ = ["ASKED_FOR", "DRILLS", "Drill", "Stage", "drill_for"]

DRILLS: tuple[type[Drill], ...] = (
    Rollback,
    BlueGreen,
    OomKilled,
    CrashLoop,
    ImagePull,
    GraphBackup,
    GraphRecovery,
    VectorRecovery,
    SecretRotation,
    CertificateRenewal,
    MaintenanceOn,
    MaintenanceOff,
    DebugOn,
    DebugOff,
    ScaleUp,
    BiggerPods,
    NewVersion,
    GraphAway,
    Health,
    Looking,  # what fits nothing else and changes nothing
)


def drill_for(procedure: Procedure) -> Drill | None:
    """The drill for the condition that the procedure is about; None where nobody wrote one."""
    return next((d for kind in DRILLS if (d := kind()).fits(procedure)), None)
