"""Whatever the text, a formula is a function or a FORMULA_ERROR, within bounded time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pullback_server.compute.formats.formula.functions.table import FUNCTIONS
from pullback_server.compute.formats.formula.grammar import (
    BINARY,
    FOREIGN_SYMBOLS,
    FOREIGN_WORDS,
    PREFIX,
    RESERVED,
)
from pullback_server.errors import Reason, ServiceError

TYPES = {
    "x": "f64[3,4]",
    "y": "f32[4]",
    "n": "i32[]",
    "m": "i1[3]",
    "z": "c128[2,2]",
    "v": "f64[0,2]",
    "f": "f8e5m2[4]",
}
NUMBERS = [
    "0",
    "1",
    "-1",
    "2.5",
    "3",
    "64",
    "1e300",
    "2j",
    "10**18",
    "9223372036854775808",
    "18446744073709551615",
]
OPTIONS = ["axis=", "keepdims=", "k=", "ord=", "decimals=", "ddof=", "descending=", "num=", "x=", "offset="]
BRACKETS = ["(", ")", "[", "]", ",", ";", "\n", "=", ":", "...", ".T", ".shape", "#", "'ij,j->i'", " "]
WORDS = [*TYPES, *FUNCTIONS, *RESERVED, *FOREIGN_WORDS, "pi", "e", "inf", "nan", "a"]
TOKENS = st.sampled_from([*WORDS, *NUMBERS, *OPTIONS, *BRACKETS, *BINARY, *PREFIX, *FOREIGN_SYMBOLS])
VALID = [
    "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)",
    "a = einsum('ij,j->i', x, y)\nsoftmax(a, axis=0) @ x[:, newaxis][..., 0]",
    "where((x > 0) & ~(x < 1), x ** 2, -x // 3)[::-1, [0, 2]]",
    "concatenate([x, [[1, 2, 3, 4]]], axis=0).shape[0] * eye(4, k=1)",
]
BOUNDED = settings(max_examples=400, deadline=timedelta(seconds=20))


def _check(source: str, formula: Any) -> None:
    error = _error(source, formula)
    if error is not None:
        assert error.reason is Reason.FORMULA_ERROR
        assert error.metadata.keys() == {"line", "column"}
        assert 1 <= int(error.metadata["line"]) <= source.count("\n") + source.count("\r") + 1
        assert error.message.encode()


def _error(source: str, formula: Any) -> ServiceError | None:
    try:
        formula(source, **TYPES)
    except ServiceError as error:
        return error
    return None


_ATOMS = st.sampled_from(
    [*TYPES, *NUMBERS, "pi", "inf", "nan", "True", "None", "()", "(0, 1)", "'fro'", "[0, 1]"]
)
_ITEMS = st.lists(
    st.one_of(_ATOMS, st.sampled_from([":", "1:", "::-1", "::0", "..."])), min_size=1, max_size=3
)


def _extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    option = st.builds("{}{}".format, st.sampled_from(OPTIONS), _ATOMS)
    arguments = st.builds(
        lambda a, b: ", ".join([*a, *b]), st.lists(inner, max_size=3), st.lists(option, max_size=2)
    )
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(sorted(BINARY)), inner),
        st.builds("({} {})".format, st.sampled_from(sorted(PREFIX)), inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), arguments),
        st.builds("{}[{}]".format, inner, _ITEMS.map(", ".join)),
        st.builds("[{}]".format, st.lists(inner, max_size=3).map(", ".join)),
        st.builds("{}.{}".format, inner, st.sampled_from(["T", "shape", "size", "ndim"])),
        st.builds("a = {}; {} * a".format, inner, inner),
    )


@given(source=st.recursive(_ATOMS, _extend, max_leaves=8))
@BOUNDED
def test_well_formed(source: str, formula: Any) -> None:
    """Text with sound syntax and any meaning."""
    _check(source, formula)


@given(tokens=st.lists(TOKENS, max_size=25), between=st.sampled_from(["", " "]))
@BOUNDED
def test_token_soup(tokens: list[str], between: str, formula: Any) -> None:
    """Words of the language in any order."""
    _check(between.join(tokens), formula)


@given(
    source=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 3), TOKENS), max_size=4),
)
@BOUNDED
def test_mutated(source: str, edits: list[tuple[int, int, str]], formula: Any) -> None:
    """Formulas with pieces cut out and put in."""
    for place, length, piece in edits:
        source = source[:place] + piece + source[place + length :]
    _check(source, formula)


@given(source=st.text(max_size=60))
@BOUNDED
def test_any_text(source: str, formula: Any) -> None:
    """Characters of any kind."""
    _check(source, formula)


def test_the_seeds_are_formulas(formula: Any) -> None:
    """What is mutated is sound to begin with."""
    for source in VALID:
        formula(source, **TYPES)
