"""A runbook as a specification: what it promises and prescribes, with the lines it stands on.

`reader.read_runbook(path)` gives a `model.Runbook`, made by the parsers in `reading`. `lint` finds
what is wrong with it, on the tree that `promql` makes of an expression. `synthetic_series` are the
time series that an alert is tried on. Nothing here knows how an indicator is measured.
"""
