"""What can be wrong with a program or with a value that should fit one.

ProgramError            (a ValueError)
├── TreeMismatchError   a value does not have the structure that is expected
└── MalformedProgramError   a message or a text does not describe a program
"""

from __future__ import annotations


class ProgramError(ValueError):
    """Something is not a program, or does not fit one."""


class TreeMismatchError(ProgramError):
    """A value does not have the structure that is expected."""


class MalformedProgramError(ProgramError):
    """A message or a text does not describe a program."""
