"""What a database alone can say and do: which one it is, whom it lets in, a new password.

`bolt` asks Neo4j by the official driver, `identity` finds version and edition of those that a
procedure is about, `password` gives a database back the password that a drill has changed.
"""
