"""The only effects of slo: Prometheus over HTTP, and the programs promtool and kubectl.

`phases.measure` asks Prometheus for every indicator of a phase, `prometheus` is the client,
`promtool` runs a test of rules, `kubectl` reads the options of an installed kubectl. Used by the
runner and the command only: what is judged gets the answers, never the clients.
"""
