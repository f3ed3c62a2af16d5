"""Taking back what faults and drills left, from the cluster alone and safe to repeat.

`marks` are the annotations that a fault leaves on what it changes, `leftovers` finds and undoes
them, `recover` does so for dead runs, and `watchdog` is the Job that does it when nobody else can
(`python -m chaos.undo.watchdog`). `snapshot` and `snapshot_store` put a namespace back after a
drill, `lease` lets one game day at a time into a namespace.
"""
