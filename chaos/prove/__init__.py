"""A runbook put to the proof: its alerts fire, and its procedures help.

`prover` takes one procedure through a drill: steady state, the condition that the procedure is for,
its steps, cured or not, all put back. `drills` has a file for each condition, `alerts` tries the
alerts, `steps` and `shell` carry commands out, `overlay` reads corrections of a runbook.
"""
