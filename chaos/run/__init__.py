"""One game day, from permission to the last line of its journal.

`preflight` holds the Lease and places the watchdog, `game_day.run` goes through the plan,
`fault_lifecycle` takes each fault from its targets to its undoing, `stop_conditions` ends it all
when users suffer too much. What happens is written by `journal_writer` and `evidence_recorder`;
what it means is decided later, by slo.verdict. `dry_run` says what would be done.
"""
