"""Statistics, pure: quantiles and rates with intervals, nothing assumed to be normal.

`intervals` has the basic methods, `estimates` says on which side of a threshold the truth lies,
`clustering` how many independent requests a number of requests is worth, `shift` and
`mann_whitney` how much two runs differ.
"""
