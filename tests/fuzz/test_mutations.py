"""Mutations, and how what they find is made small."""

from __future__ import annotations

import pytest
from fuzz.chance import dice
from fuzz.minimising import minimised
from fuzz.mutations import formulas, octets, text, wire
from fuzz.seeds import programs

from pullback.v1 import evaluation_pb2

MESSAGE = evaluation_pb2.EvaluateRequest(
    function="functions/f", wants=[evaluation_pb2.Want(quantity="QUANTITY_JACOBIAN", argnums=[0, 2])]
).SerializeToString()


def test_fields_are_read_and_written() -> None:
    """What is read of a message is the message."""
    assert wire.message(wire.fields_of(MESSAGE)) == MESSAGE
    assert [field.number for field in wire.fields_of(MESSAGE)] == [1, 2]


@pytest.mark.parametrize("data", [b"\x00", b"\x0a\x05x", b"\x0b", b"\x80" * 11, b"\x09\x01"])
def test_what_is_no_message(data: bytes) -> None:
    """A field without a number, one cut short, a group, a number without end, half a double."""
    with pytest.raises(wire.NotAMessageError):
        wire.fields_of(data)


@pytest.mark.parametrize("mutated", [octets.mutated, wire.mutated])
def test_mutants_differ(mutated: wire.Edit) -> None:
    """Nearly every mutant is another message than the one that it was made of."""
    mutants = [mutated(MESSAGE, dice(1, number), [b"other"]) for number in range(500)]
    assert sum(mutant != MESSAGE for mutant in mutants) > 450
    assert len(set(mutants)) > 250
    assert mutated(b"", dice(1, 0), ()) is not None


def test_text_keeps_its_form() -> None:
    """Many a mutant of a text still has a function, and it is another text."""
    source = programs.texts()[0]
    mutants = [text.mutated(source, dice(1, number), programs.texts()) for number in range(300)]
    assert sum("func.func @main" in mutant and mutant != source for mutant in mutants) > 150


def test_formulas_differ() -> None:
    """Formulas are as many as they are asked for, and short."""
    sources = [formulas.source(dice(1, number)) for number in range(300)]
    assert len(set(sources)) > 200
    assert max(map(len, sources)) < 5000


def test_minimised_to_what_matters() -> None:
    """Of a long text only that is left without which it is no case; never more tries than allowed."""
    data = bytes(range(200)) * 3
    assert minimised(data, lambda part: b"\x07" in part and part.count(b"\x90") > 1) in {
        b"\x07\x90\x90",
        b"\x90\x07\x90",
        b"\x90\x90\x07",
    }
    asked: list[bytes] = []
    minimised(data, lambda part: asked.append(part) is None and len(part) > 3, tries=5)
    assert len(asked) == 5
