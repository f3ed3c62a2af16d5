"""Indicators: how each promise is measured, by the load and by Prometheus.

`slis` names them with their PromQL, `client` computes them from every request of the load,
`server` from what was recorded of Prometheus. Each value comes as evidence with a count and an
interval (slo.stats.estimates), or as the reason why it is missing.
"""
