"""Release against release: is this run slower than its baseline, or does it fail more often?

`comparison.compare(run, baseline, ...)` asks one `question` for each endpoint, of the `baseline`
phases of both runs.
"""
