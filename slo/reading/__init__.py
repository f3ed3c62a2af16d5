"""Reading a runbook: Markdown that people wrote, turned into a model, with nothing dropped."""
