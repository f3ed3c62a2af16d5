"""A runbook's alerts, tried: each should fire when it should, and be silent otherwise.

`synthetic` shows them made-up series in promtool, without any cluster; `live` puts the rules into a
real Prometheus and breaks the system.
"""
