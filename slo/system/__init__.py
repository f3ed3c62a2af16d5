"""A system: one service as its team describes it, in a folder beside its code.

`place.find_system()` finds `gameday/system.yaml` from the working directory upwards, and
`folder.read_system(path)` reads it. `model` says what may stand in it, `indicators` how a quantity
is measured; `presets/` has the metric names of well-known instrumentations. `schema` writes the
JSON Schema that editors check the file against.
"""
