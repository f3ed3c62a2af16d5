"""Game days: faults under load, undone whatever happens, and runbooks put to the proof.

From the top: `cli` (the command), `prove` (a runbook's alerts and procedures, tried), `run` (one
game day), `plan` (what its author writes), `faults` (one file each), `undo` (finds and takes back
what faults left), `kube` (the only way into a cluster). Each imports only those after it.
"""
