"""The judgement of one run: from a Recording to a Verdict, the same bytes each time.

`score.score(recording)` is the way in. `objectives` holds evidence against thresholds, `results`
does so for every phase, `experiments` judges a fault and the recovery from it, with `severity`,
`impact`, `milestones`, `alerts` and `degraded`; `verdict_json` is the file. `proofs` are the values
of proofs.json: what came of a runbook's promises when they were tried.
"""
