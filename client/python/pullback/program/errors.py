"""What can be wrong with a program or with a value that should fit one.

ProgramError            (a ValueError)
├── TreeMismatchError   a value does not have the structure that is expected
├── SizeMismatchError   shapes do not fit the symbols of a signature
└── MalformedProgramError   a message or a text does not describe a program
    └── TreeTooDeepError    a tree is nested deeper than is read
"""

from __future__ import annotations


class ProgramError(ValueError):
    """Something is not a program, or does not fit one."""


class TreeMismatchError(ProgramError):
    """A value does not have the structure that is expected."""


class SizeMismatchError(ProgramError):
    """Shapes do not fit the symbols of a signature.

    Args:
        message: What does not fit.
        path: The leaf that does not.
        expected: The type in the signature.
        actual: The shape that came.
    """

    def __init__(self, message: str, path: str, expected: str, actual: str) -> None:
        super().__init__(message)
        self.path = path
        self.expected = expected
        self.actual = actual


class MalformedProgramError(ProgramError):
    """A message or a text does not describe a program."""


class TreeTooDeepError(MalformedProgramError):
    """A tree is nested deeper than is read.

    Args:
        deepest: How deep it may be.
    """

    def __init__(self, deepest: int) -> None:
        super().__init__(f"a tree is nested deeper than {deepest}")
        self.deepest = deepest
