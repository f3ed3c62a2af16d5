"""A procedure of a runbook, carried out step by step.

`execution.carry_out` goes through the steps in a shell, `placeholders` fills in what a person
would, `recorder` has every step in the journal before it runs, and `secret_mask` keeps the values
of Secrets out of what is written down.
"""
