"""The embedded cluster's controllers: an ordinary API client, one module per behaviour.

Each module has a pure core (what ought to be, from the objects observed) and a thin controller
that carries it out. `runtime` has what they share; `python -m service.cluster.controllers` runs
them all in one process.
"""
