"""A runbook's alerts, tried: on made series without any cluster, and on a real Prometheus."""
