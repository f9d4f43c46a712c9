"""What a user can cause, and the exit code it ends with.

    janusdna.errors.JanusDNAError
    └── InputError          a file or an option's value is at fault: exit code 1, one line
        └── RecordError     the same, at one line or record of a file
    BrokenPipeError
    └── ReaderGoneError          nobody reads the output any more: exit code 0, in silence

Every message says where, what was found, what was expected and what to do.
"""

from janusdna.errors import JanusDNAError

__all__ = ["InputError", "ReaderGoneError", "RecordError"]


class InputError(JanusDNAError):
    """The input or the environment is at fault."""


class RecordError(InputError):
    """One line or record of a file cannot be read.

    Args:
        path: The file as the user named it.
        place: "line 12" or "record 7".
        problem: What was found, what was expected, what to do.
    """

    def __init__(self, path: str, place: str, problem: str) -> None:
        super().__init__(f"{path}: {place}: {problem}")


class ReaderGoneError(BrokenPipeError):
    """Whoever read the output (`| head`) wants no more of it."""
