"""The mistakes of a command line that no package below can know of."""


class UsageError(Exception):
    """The command line asks for what cannot be."""
