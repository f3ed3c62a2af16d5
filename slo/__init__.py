"""Runbooks as specifications, and verdicts on runs: pure but for `observe`.

`runbook` reads and lints a runbook, `evidence` are the files of a run, `stats` the arithmetic,
`indicators` what is measured and how, `verdict` the judgement of one run, `compare` that of a
run against a baseline. `observe` alone talks to Prometheus and starts programs; nothing else here
imports it. What all of them use stands beside the rooms: `model`, `documents`, `policy`, `show`.
"""
