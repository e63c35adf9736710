"""Every operator of ONNX is served, or refused with a word."""

from __future__ import annotations

from onnx import defs

from pullback_server.compute.formats.onnx.table import EXPANDED, REFUSED, RULES


def test_every_operator_has_one_place() -> None:
    """None is forgotten, none stands twice, and none is made up."""
    known = {schema.name for schema in defs.get_all_schemas() if schema.domain == ""}
    places = [*RULES, *EXPANDED, *REFUSED]
    assert len(places) == len(set(places))
    assert known - set(places) == set()
    assert set(EXPANDED) | set(REFUSED) <= known


def test_what_is_expanded_has_a_definition() -> None:
    """An operator that is served by its definition has one."""
    for name in EXPANDED:
        schema = defs.get_schema(name)
        assert schema.has_function or schema.has_context_dependent_function  # type: ignore[attr-defined]
