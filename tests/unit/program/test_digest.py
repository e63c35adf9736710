"""The digest names a program by its content."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pullback.program.container import Formula, JaxExport, Producer, Program, StableHlo, StableHloModule
from pullback.program.digest import canonical_bytes, digest
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF, ListNode

F64 = parse_tensor_type("f64[3]")
SIGNATURE = Signature((Argument("x", LEAF, (F64,)),), Result(LEAF, (F64,)))
PROGRAM = Program(StableHlo(b"entry", (b"rule",)), SIGNATURE, Producer("tool", "1"))

values = st.recursive(
    st.binary(max_size=3) | st.text(max_size=3) | st.integers(-9, 9),
    lambda children: st.lists(children, max_size=3).map(tuple),
)


@given(values, values)
def test_different_values_have_different_forms(left: object, right: object) -> None:
    """Lengths and tags keep apart what concatenation would join."""
    if left != right:
        assert canonical_bytes(left) != canonical_bytes(right)  # type: ignore[arg-type]


def test_what_the_program_is_decides() -> None:
    """Body, names, structures and types change the digest."""
    other_name = replace(SIGNATURE, arguments=(Argument("y", LEAF, (F64,)),))
    other_tree = replace(SIGNATURE, result=Result(ListNode((LEAF,)), (F64,)))
    programs = [
        PROGRAM,
        replace(PROGRAM, body=StableHlo(b"entryrule")),
        replace(PROGRAM, body=StableHlo(b"entry", (b"rul", b"e"))),
        replace(PROGRAM, signature=other_name),
        replace(PROGRAM, signature=other_tree),
    ]
    assert len(set(map(digest, programs))) == len(programs)


def test_who_produced_it_does_not() -> None:
    """The same function from two tools is the same program."""
    assert digest(replace(PROGRAM, producer=Producer("other", "2"))) == digest(PROGRAM)


def test_a_formula_is_named_before_its_result_is_known() -> None:
    """The client's digest of a formula is the server's, which has worked out the result's type."""
    before = Program(Formula("2*x"), replace(SIGNATURE, result=None))
    assert digest(before) == digest(replace(before, signature=SIGNATURE))


def test_the_digest_is_for_ever() -> None:
    """A stored program keeps its address through upgrades: this value never changes."""
    assert digest(PROGRAM) == "b74ff24ef30d21939812a6d49f540a5c3ad23886ec889b36c0e7e25a13e90fb0"


def test_a_foreign_program_is_named_before_its_signature_is_known() -> None:
    """The server reads the signature from the body, and the program keeps its address."""
    for body in (StableHloModule(b"module", ("x",)), JaxExport(b"artifact", ("x",))):
        before = Program(body, Signature(()))
        assert digest(before) == digest(replace(before, signature=SIGNATURE))
        assert digest(before) != digest(replace(before, body=replace(body, names=())))


def test_symbols_change_the_digest() -> None:
    """A type with a symbol is another one than any with a size."""
    symbolic = replace(SIGNATURE, arguments=(Argument("x", LEAF, (parse_tensor_type("f64[n]"),)),))
    assert digest(replace(PROGRAM, signature=symbolic)) != digest(PROGRAM)


def test_a_bound_of_trips_is_part_of_the_program_only_where_there_is_one() -> None:
    """Programs without a bound keep the digests that they always had; another bound is another program."""
    bounded = replace(PROGRAM, max_trips=40)
    assert len({digest(PROGRAM), digest(bounded), digest(replace(PROGRAM, max_trips=41))}) == 3
    assert digest(replace(bounded, max_trips=None)) == digest(PROGRAM)
