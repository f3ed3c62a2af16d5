"""What ends the command unforeseen: a file that cannot be used, or an error of our own."""

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

OF_THE_MACHINE = (errno.ENOSPC, errno.EPIPE, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT)


def unusable(error: Exception) -> str:
    """One sentence where a file or the output may not be used or has no room; "" else."""
    if not isinstance(error, OSError) or error.errno not in OF_THE_MACHINE:
        return ""
    _leave_standard_output()
    return f"cannot use {error.filename or 'the output'}: {error.strerror}"


def kept(error: Exception) -> str:
    """One sentence that names the file with the traceback."""
    text = "".join(traceback.format_exception(error))
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    try:
        descriptor, name = tempfile.mkstemp(prefix="gameday-crash-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return f"a bug in gameday ({what}); its traceback could not be written:\n{text}"
    return (
        f"a bug in gameday ended it ({what}); this is no verdict. Please send {Path(name)}, which"
        " has the traceback, and the command that you typed"
    )


def _leave_standard_output() -> None:
    """What could not be written is not tried once more when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
