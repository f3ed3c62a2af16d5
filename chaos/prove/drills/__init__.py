"""The registry of drills: one entry and one file for each condition that a procedure is for."""

from chaos.prove.drills.base import ASKED_FOR, Drill, Stage
from chaos.prove.drills.blue_green import BlueGreen
from chaos.prove.drills.certificate import CertificateRenewal
from chaos.prove.drills.crash_loop import CrashLoop
from chaos.prove.drills.debug_mode import DebugOff, DebugOn
from chaos.prove.drills.graph import GraphBackup, GraphRecovery
from chaos.prove.drills.graph_away import GraphAway
from chaos.prove.drills.health import Health
from chaos.prove.drills.image_pull import ImagePull
from chaos.prove.drills.maintenance import MaintenanceOff, MaintenanceOn
from chaos.prove.drills.oom_killed import OomKilled
from chaos.prove.drills.reading import Looking
from chaos.prove.drills.rollback import Rollback
from chaos.prove.drills.rollout import BiggerPods, NewVersion
from chaos.prove.drills.scale_up import ScaleUp
from chaos.prove.drills.secret_rotation import SecretRotation
from chaos.prove.drills.vectors import VectorRecovery
from slo.runbook.model import Procedure

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
