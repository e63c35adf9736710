"""Reads a formula's tokens into a syntax tree: a Pratt parser over the table of `grammar`.

Source of the method: V. R. Pratt, "Top down operator precedence", POPL 1973.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pullback_server.compute.formats.bounds import BOUNDS, NESTING, OPERATIONS
from pullback_server.compute.formats.formula.diagnostics import FormulaError, Over
from pullback_server.compute.formats.formula.grammar import (
    BINARY,
    COMPARISON,
    COMPARISONS,
    CONSTANTS,
    FOREIGN_SYMBOLS,
    FOREIGN_WORDS,
    POWER,
    PREFIX,
    RESERVED,
    UNARY,
)
from pullback_server.compute.formats.formula.limits import MAX_INTEGER
from pullback_server.compute.formats.formula.syntax import (
    Assignment,
    Attribute,
    Binary,
    Call,
    Constant,
    Index,
    Keyword,
    ListDisplay,
    Name,
    Node,
    Number,
    Slice,
    Subscript,
    Syntax,
    TupleDisplay,
    Unary,
)
from pullback_server.compute.formats.formula.tokens import Token, TokenKind, tokenize
from pullback_server.errors import Reason

Item = TypeVar("Item")
_LONGEST_INTEGER: Final = len(str(MAX_INTEGER))


def parse(source: str) -> Syntax:
    """The syntax tree of a formula.

    Raises:
        FormulaError: If the text is no formula; with its position.
    """
    return _Parser(tokenize(source)).formula()


class _Parser:
    """A place in the tokens, and the nodes so far. Methods read what they are named after, from there."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._nodes: list[Node] = []

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind is not TokenKind.END
        return token

    def _sees(self, symbol: str) -> bool:
        return self._next.kind is TokenKind.SYMBOL and self._next.text == symbol

    def _accept(self, symbol: str) -> bool:
        seen = self._sees(symbol)
        self._place += seen
        return seen

    def _add(self, node: Node) -> Index:
        self._nodes.append(node)
        count = len(self._nodes)
        if count > BOUNDS.operations:
            raise FormulaError(
                f"the formula has {count} nodes or more",
                "Register it as several functions, or as StableHLO.",
                node.position,
                Over(Reason.TOO_MANY_OPERATIONS, count, BOUNDS.operations, OPERATIONS),
            )
        return len(self._nodes) - 1

    def formula(self) -> Syntax:
        result = None
        while self._skip_separators().kind is not TokenKind.END:
            result = self._statement()
            if self._next.kind not in (TokenKind.SEPARATOR, TokenKind.END):
                raise _unexpected(self._next, "an operator or the end of the statement")
        if result is None:
            raise FormulaError("the formula is empty", "Write an expression, such as sum(x**2).", 0)
        return Syntax(tuple(self._nodes), result)

    def _skip_separators(self) -> Token:
        while self._next.kind is TokenKind.SEPARATOR:
            self._take()
        return self._next

    def _statement(self) -> Index:
        after = self._tokens[min(self._place + 1, len(self._tokens) - 1)]
        if self._next.kind is TokenKind.NAME and after.kind is TokenKind.SYMBOL and after.text == "=":
            return self._assignment()
        return self._expression()

    def _assignment(self) -> Index:
        name = self._take()
        if name.text in RESERVED or name.text in FOREIGN_WORDS:
            what = f"{name.text} is a word of the language and cannot be assigned to"
            raise FormulaError(what, "Choose another name.", name.position)
        self._take()
        return self._add(Assignment(name.position, name.text, self._expression()))

    def _expression(self, floor: int = 0) -> Index:
        """An expression of operators that bind at least as tightly as `floor`."""
        self._depth += 1
        if self._depth > BOUNDS.nesting:
            raise FormulaError(
                f"the formula is nested {self._depth} levels deep or more",
                "Give inner parts a name with an assignment.",
                self._next.position,
                Over(Reason.NESTING_TOO_DEEP, self._depth, BOUNDS.nesting, NESTING),
            )
        left = self._operand(floor)
        while self._binding() >= max(floor, 1):
            left = self._binary(left)
        self._depth -= 1
        return left

    def _binding(self) -> int:
        """How tightly the next token binds as an operator; 0 if it is none."""
        is_word_or_symbol = self._next.kind in (TokenKind.SYMBOL, TokenKind.NAME)
        return BINARY.get(self._next.text, 0) if is_word_or_symbol else 0

    def _binary(self, left: Index) -> Index:
        binding, token = self._binding(), self._take()
        right = self._expression(UNARY if binding == POWER else binding + 1)
        if binding == COMPARISON and self._next.text in COMPARISONS:
            advice = "Write each comparison in brackets and join them with &, such as (a < b) & (b < c)."
            raise FormulaError("comparisons cannot be chained", advice, self._next.position)
        return self._add(Binary(token.position, token.text, left, right))

    def _operand(self, floor: int) -> Index:
        token = self._next
        prefix = PREFIX.get(token.text) if token.kind is not TokenKind.TEXT else None
        if prefix is None:
            return self._suffixes(self._primary())
        if prefix < floor:
            advice = f"Put brackets around it, as in ({token.text} a)."
            raise FormulaError(f"{token.text} cannot stand behind this operator", advice, token.position)
        self._take()
        return self._add(Unary(token.position, token.text, self._expression(prefix)))

    def _suffixes(self, base: Index) -> Index:
        while self._next.kind is TokenKind.SYMBOL and self._next.text in ("[", ".", "("):
            token = self._take()
            if token.text == "(":
                raise FormulaError("only a function can be called", "Write * for a product.", token.position)
            base = self._subscript(base, token) if token.text == "[" else self._attribute(base)
        return base

    def _attribute(self, base: Index) -> Index:
        name = self._take()
        if name.kind is not TokenKind.NAME:
            raise _unexpected(name, "a name after the dot, such as x.T")
        if self._sees("("):
            what = f"{name.text} is called as a method"
            advice = f"Functions are called by their bare name: {name.text}(...)."
            raise FormulaError(what, advice, name.position)
        return self._add(Attribute(name.position, base, name.text))

    def _subscript(self, base: Index, bracket: Token) -> Index:
        items, _ = self._list_until("]", self._subscript_item)
        if not items:
            raise FormulaError(
                "the index is empty", "Write an index or a slice, such as x[0].", bracket.position
            )
        return self._add(Subscript(bracket.position, base, tuple(items)))

    def _subscript_item(self) -> Index:
        token = self._next
        if self._accept("..."):
            return self._add(Constant(token.position, ...))
        start = None if self._sees(":") else self._expression()
        if start is not None and not self._sees(":"):
            return start
        colon = self._take()
        stop = self._bound()
        step = self._bound() if self._accept(":") else None
        return self._add(Slice(colon.position, start, stop, step))

    def _bound(self) -> Index | None:
        left_out = self._next.kind is TokenKind.SYMBOL and self._next.text in (":", ",", "]")
        return None if left_out else self._expression()

    def _list_until(self, closing: str, item: Callable[[], Item]) -> tuple[list[Item], bool]:
        """Items between commas up to a closing bracket, and whether a comma stood last."""
        items: list[Item] = []
        trailing = False
        while not self._accept(closing):
            if items and not trailing:
                raise _unexpected(self._next, f", or {closing}")
            items.append(item())
            trailing = self._accept(",")
        return items, trailing

    def _primary(self) -> Index:
        token = self._next
        match token.kind:
            case TokenKind.NUMBER:
                return self._number()
            case TokenKind.TEXT:
                return self._add(Constant(self._take().position, token.text[1:-1]))
            case TokenKind.NAME:
                return self._word()
            case TokenKind.SYMBOL if token.text == "(":
                return self._group()
            case TokenKind.SYMBOL if token.text == "[":
                self._take()
                return self._add(
                    ListDisplay(token.position, tuple(self._list_until("]", self._expression)[0]))
                )
            case _:
                raise _unexpected(token, "a value")

    def _number(self) -> Index:
        token = self._take()
        if self._next.kind is TokenKind.NAME and self._next.position == token.position + len(token.text):
            advice = "Put an operator between them, such as 2*x."
            raise FormulaError("a number runs into a name", advice, self._next.position)
        return self._add(Constant(token.position, _read_number(token)))

    def _group(self) -> Index:
        bracket = self._take()
        items, trailing = self._list_until(")", self._expression)
        if len(items) == 1 and not trailing:
            return items[0]
        return self._add(TupleDisplay(bracket.position, tuple(items)))

    def _word(self) -> Index:
        token = self._take()
        if token.text in CONSTANTS:
            return self._add(Constant(token.position, CONSTANTS[token.text]))
        if token.text in RESERVED or token.text in FOREIGN_WORDS:
            raise _unexpected(token, "a value")
        if self._accept("("):
            return self._call(token)
        return self._add(Name(token.position, token.text))

    def _call(self, function: Token) -> Index:
        given, _ = self._list_until(")", self._argument)
        positional = [argument for argument in given if not isinstance(argument, Keyword)]
        keywords = [argument for argument in given if isinstance(argument, Keyword)]
        if any(isinstance(argument, Keyword) for argument in given[: len(positional)]):
            advice = "Write arguments without a name first."
            raise FormulaError("an argument without a name follows a named one", advice, keywords[0].position)
        return self._add(Call(function.position, function.text, tuple(positional), tuple(keywords)))

    def _argument(self) -> Index | Keyword:
        name, after = self._next, self._tokens[min(self._place + 1, len(self._tokens) - 1)]
        if name.kind is TokenKind.NAME and after.kind is TokenKind.SYMBOL and after.text == "=":
            self._place += 2
            return Keyword(name.position, name.text, self._expression())
        return self._expression()


def _read_number(token: Token) -> Number:
    text = token.text
    if text.isdigit():
        digits = text.lstrip("0") or "0"
        value = int(digits) if len(digits) <= _LONGEST_INTEGER else MAX_INTEGER + 1
        if value > MAX_INTEGER:
            advice = "Write it with a point or an exponent, such as 1e20."
            raise FormulaError("the integer has more than 64 bits", advice, token.position)
        return value
    imaginary = text[-1] in "jJ"
    real = float(text[:-1] if imaginary else text)
    if real == float("inf"):
        raise FormulaError("the number is too large for f64", "Write inf for infinity.", token.position)
    return complex(0.0, real) if imaginary else real


def _unexpected(token: Token, expected: str) -> FormulaError:
    match token.kind:
        case TokenKind.END | TokenKind.SEPARATOR if token.text != ";":
            what = f"the {'line' if token.text else 'formula'} ends where {expected} is due"
            advice = "Put brackets around an expression that goes over several lines." if token.text else ""
        case TokenKind.NAME if token.text in FOREIGN_WORDS:
            what, advice = f"{token.text} is no word of a formula", FOREIGN_WORDS[token.text]
        case _:
            what, advice = f"{token.text} stands where {expected} is due", FOREIGN_SYMBOLS.get(token.text, "")
    return FormulaError(what, advice or f"Write {expected} here.", token.position)
