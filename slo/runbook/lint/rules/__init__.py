"""One rule in each module; slo.runbook.lint.registry finds them all."""
