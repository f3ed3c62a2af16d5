"""A small Kubernetes API server: store, watch, patch, discovery, tables."""
