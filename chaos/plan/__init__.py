"""Plans: a game day as its author writes it in YAML, validated.

`model` has the Plan and reads one (`read_plan(path)`); `plans/` has those that come with the
package. `forbidden` says which faults and objects a plan or namespace rules out, and
`chaos_toolkit` reads and writes experiments of the Chaos Toolkit.
"""
