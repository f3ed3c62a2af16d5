"""Reading a runbook: Markdown that people wrote, turned into a model, with nothing dropped.

`markdown` makes flat blocks of the text; a module for each kind of content (`promises`, `rules`,
`queries`, `procedures`, `steps`, `listings`) takes what it knows. `line_coverage` keeps account:
each line is in the model, or is listed with the reason why it is not.
"""
