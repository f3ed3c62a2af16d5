"""One rule in each module; slo.lint.registry finds them all."""
