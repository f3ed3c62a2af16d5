"""The parts of a system as its cluster has them: what system.yaml names, completed by a look.

`find.part_of()` chooses the part that a text is about, `graph.Graph.of()` and the other modules
find out its objects. What cannot be found out is a `PartError`, whose sentence has the YAML to add.
"""
