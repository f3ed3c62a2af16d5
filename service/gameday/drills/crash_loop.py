"""Pods that end as soon as they start, because of a setting that the service refuses."""

from chaos.prove.drills import CrashLoop, Stage


class RefusedSetting(CrashLoop):
    condition = "a rollout whose pods crash at once (LOG_LEVEL=NONSENSE)"

    def fault(self, stage: Stage) -> None:
        stage.system.set_env("LOG_LEVEL", "NONSENSE")
