"""Drills: one file for each condition that a procedure is for. Here are those of any system.

They know a system by what system.yaml says of its target, `parts` and `data`. Drills that only one
system has stand in its own folder, and are asked first (`own`). A file of such drills imports what
it needs from here.
"""

from collections.abc import Sequence

from chaos.prove.drills.base import (
    ASKED_FOR,
    Drill,
    Stage,
    served,
    sight,
    suffering,
    waiting_reasons,
    whole,
)
from chaos.prove.drills.certificate import CertificateRenewal
from chaos.prove.drills.crash_loop import CrashLoop
from chaos.prove.drills.files import Backup, Recovery, UnknownPart
from chaos.prove.drills.health import Health
from chaos.prove.drills.image_pull import ImagePull
from chaos.prove.drills.maintenance import MaintenanceOff, MaintenanceOn
from chaos.prove.drills.neo4j_away import Neo4jAway
from chaos.prove.drills.neo4j_password import Neo4jPassword
from chaos.prove.drills.oom_killed import OomKilled
from chaos.prove.drills.reading import Looking
from chaos.prove.drills.restart import Restart
from chaos.prove.drills.rollback import Rollback
from chaos.prove.drills.rollout import BiggerPods, NewVersion
from chaos.prove.drills.scale_up import ScaleUp
from chaos.prove.drills.secret_rotation import SecretRotation
from slo.runbook.model import Procedure
from slo.system.parts import AnyPart

__all__ = [
    "ASKED_FOR",
    "GENERAL",
    "CrashLoop",
    "Drill",
    "Rollback",
    "Stage",
    "drill_for",
    "served",
    "sight",
    "suffering",
    "waiting_reasons",
    "whole",
]

GENERAL: tuple[type[Drill], ...] = (
    Rollback,
    OomKilled,
    CrashLoop,
    ImagePull,
    Backup,
    Recovery,
    Neo4jPassword,
    SecretRotation,
    CertificateRenewal,
    MaintenanceOn,
    MaintenanceOff,
    ScaleUp,
    BiggerPods,
    NewVersion,
    Neo4jAway,
    Restart,
    Health,
    Looking,  # what fits nothing else and changes nothing
    UnknownPart,
)


def drill_for(
    procedure: Procedure, own: Sequence[type[Drill]] = (), parts: Sequence[AnyPart] = ()
) -> Drill | None:
    """The first that fits, the system's own before the general ones; None where none does."""
    return next((d for kind in (*own, *GENERAL) if (d := kind(parts)).fits(procedure)), None)
