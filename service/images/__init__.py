"""Programs that stand in for container images of which the embedded cluster knows the names."""
