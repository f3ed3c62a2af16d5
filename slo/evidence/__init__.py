"""The files of a run directory: their formats, written and read.

`journal` (what was done when), `samples` (every request), `metrics` (what Prometheus said);
`recording.read_recording(run_dir)` reads them all back. `experiment_log` tells the journal for each
experiment, `categories` keep columns of few different strings small.
"""
