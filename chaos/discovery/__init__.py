"""What can be found out about a service by looking at it, and the folder written from that.

`workload` looks at the cluster, `metrics` at Prometheus, `openapi` and `har` at descriptions of its
requests, `probe` asks the service itself, and `folder` writes what was found. Each says what it
guessed, so that a person can put it right.
"""
