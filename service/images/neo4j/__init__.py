"""The image `neo4j:*`: a real Neo4j Community server with its own neo4j-admin and cypher-shell.

`distribution.py` fetches the pinned files into the user's cache, `configuration.py` turns the
container's environment into neo4j.conf as the official image does, `__main__.py` is the entry
point, and `pin.py` writes the list of files for a new version.
"""
