"""Modules of any producer: their signatures, open sizes, and what of them is refused."""

from __future__ import annotations

import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.program.container import Program, StableHloModule
from pullback.program.digest import digest
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.formats.stablehlo.foreign import module_signature
from pullback_server.compute.formats.stablehlo.reading.specialization import main_types, specialize
from pullback_server.compute.kernel import Kernel
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Compilation
from pullback_server.model.quantities import Quantity, Want

VALUE = Want(Quantity.VALUE)


def spelled(text: str, *names: str) -> tuple[list[str], list[str]]:
    """The types of the arguments and of the results of a module."""
    signature = module_signature(StableHloModule(text.encode(), names))
    assert signature.result is not None
    return list(map(str, signature.leaves)), list(map(str, signature.result.leaves))


def test_static_module() -> None:
    """Arguments by number or name; several results are a tuple, none is an empty one."""
    text = "func.func @main(%a: tensor<2xf32>, %b: tensor<i1>) { return }"
    assert spelled(text) == (["f32[2]", "i1[]"], [])
    named = module_signature(StableHloModule(text.encode(), ("weights", "flag")))
    assert [argument.name for argument in named.arguments] == ["weights", "flag"]
    for names in (("a",), ("a", "a"), ("a", "not a name")):
        with pytest.raises(ServiceError) as caught:
            module_signature(StableHloModule(text.encode(), names))
        assert caught.value.reason is Reason.MALFORMED_PROGRAM


def test_open_sizes_that_must_agree_are_one() -> None:
    """Each has its own symbol, unless the module works with none but equal sizes."""
    product = """func.func @main(%x: tensor<?x?xf64>, %y: tensor<?x?xf64>) -> tensor<?x?xf64> {
      %r = stablehlo.dot_general %x, %y, contracting_dims = [1] x [0]
        : (tensor<?x?xf64>, tensor<?x?xf64>) -> tensor<?x?xf64>
      return %r : tensor<?x?xf64> }"""
    assert spelled(product, "x", "y") == (["f64[x_0,x_1]", "f64[x_1,y_1]"], ["f64[x_0,y_1]"])


def test_many_open_sizes() -> None:
    """Of more sizes than can be compared, those of the same axis are likely to be equal."""
    kind = "tensor<?x?x?x?xf64>"
    text = f"""func.func @main(%x: {kind}, %y: {kind}) -> {kind} {{
      %z = stablehlo.add %x, %y : {kind}
      return %z : {kind} }}"""
    sizes = "f64[x_0,x_1,x_2,x_3]"
    assert spelled(text, "x", "y") == ([sizes, sizes], [sizes])


@pytest.mark.parametrize(
    "text",
    [
        "module { }",
        "func.func private @main(tensor<?xf64>) -> tensor<?xf64>",
        "func.func @main(%x: tensor<*xf64>) { return }",
        "func.func @main(%x: memref<?xf64>) { return }",
        "func.func @main(%x: tensor<?xf64>) { call @main(%x) : (tensor<?xf64>) -> ()\n return }",
        "func.func @main(%x: tensor<?xf64>) { return }\nfunc.func @pullback_open_main() { return }",
    ],
    ids=["empty", "external", "unranked", "memref", "recursive", "taken name"],
)
def test_modules_without_a_usable_main_are_refused(text: str) -> None:
    """With a reason, and without harm to the process."""
    with pytest.raises(ServiceError) as caught:
        module_signature(StableHloModule(text.encode()))
    assert caught.value.reason in (Reason.MALFORMED_PROGRAM, Reason.UNSUPPORTED_OPERATION)


def test_sizes_of_results_are_found() -> None:
    """Sums, multiples and products of sizes, and sizes that do not depend on any."""
    text = """func.func @main(%x: tensor<?x3xf64>, %y: tensor<?xf64>) -> (tensor<?xf64>, tensor<?xf64>) {
      %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x3xf64>) -> tensor<i32>
      %three = stablehlo.constant dense<3> : tensor<i32>
      %size = stablehlo.multiply %n, %three : tensor<i32>
      %shape = stablehlo.reshape %size : (tensor<i32>) -> tensor<1xi32>
      %flat = stablehlo.dynamic_reshape %x, %shape : (tensor<?x3xf64>, tensor<1xi32>) -> tensor<?xf64>
      %both = stablehlo.concatenate %flat, %y, dim = 0 : (tensor<?xf64>, tensor<?xf64>) -> tensor<?xf64>
      %rest = stablehlo.slice %both [1:3] : (tensor<?xf64>) -> tensor<2xf64>
      %open = stablehlo.convert %rest : (tensor<2xf64>) -> tensor<?xf64>
      return %both, %open : tensor<?xf64>, tensor<?xf64> }"""
    assert spelled(text, "x", "y") == (["f64[x_0,3]", "f64[y_0]"], ["f64[3*x_0+y_0]", "f64[2]"])
    square = """func.func @main(%x: tensor<?xf64>) -> tensor<?x?xf64> {
      %n = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?xf64>) -> tensor<i32>
      %m = stablehlo.multiply %n, %n : tensor<i32>
      %a = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
      %b = stablehlo.reshape %m : (tensor<i32>) -> tensor<1xi32>
      %s = stablehlo.concatenate %b, %a, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
      %r = stablehlo.dynamic_broadcast_in_dim %x, %s, dims = [1]
        : (tensor<?xf64>, tensor<2xi32>) -> tensor<?x?xf64>
      return %r : tensor<?x?xf64> }"""
    assert spelled(square, "x")[1] == ["f64[x_0*x_0,x_0]"]


def test_sizes_that_are_passed_as_integers() -> None:
    """An integer in front that shapes are made of is the size of the arrays behind it."""
    text = """func.func @main(%n: tensor<i64>, %x: tensor<?x3xf32>) -> tensor<?x3xf32> {
      %size = stablehlo.convert %n : (tensor<i64>) -> tensor<i32>
      %rows = stablehlo.reshape %size : (tensor<i32>) -> tensor<1xi32>
      %three = stablehlo.constant dense<3> : tensor<1xi32>
      %shape = stablehlo.concatenate %rows, %three, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
      %two = stablehlo.constant dense<2.0> : tensor<f32>
      %twos = stablehlo.dynamic_broadcast_in_dim %two, %shape, dims = []
        : (tensor<f32>, tensor<2xi32>) -> tensor<?x3xf32>
      %r = stablehlo.multiply %x, %twos : tensor<?x3xf32>
      return %r : tensor<?x3xf32> }"""
    assert spelled(text, "n", "x") == (["i64[]", "f32[x_0,3]"], ["f32[x_0,3]"])
    program = Program(StableHloModule(text.encode()), Signature(()))
    name, kernel = digest(program), Kernel()
    kernel.load(name, program_to_bytes(program))
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    outcome = evaluated(kernel, evaluation(name, (VALUE,), (to_tensor(np.asarray(4)), to_tensor(x))))
    np.testing.assert_array_equal(to_array(outcome.results[0][0]), 2 * x)


def test_shapes_that_depend_on_values_are_refused() -> None:
    """There is no size to promise."""
    text = """func.func @main(%x: tensor<?xf64>, %s: tensor<1xi32>) -> tensor<?xf64> {
      %r = stablehlo.dynamic_reshape %x, %s : (tensor<?xf64>, tensor<1xi32>) -> tensor<?xf64>
      return %r : tensor<?xf64> }"""
    with pytest.raises(ServiceError) as caught:
        module_signature(StableHloModule(text.encode()))
    assert caught.value.reason in (Reason.MALFORMED_PROGRAM, Reason.UNSUPPORTED_OPERATION)


def test_specialization_leaves_nothing_open() -> None:
    """The module at chosen sizes takes and gives them."""
    text = b"func.func @main(%x: tensor<?x2xi32>) -> tensor<?x2xi32> { return %x : tensor<?x2xi32> }"
    inputs, results = main_types(specialize(text, [parse_tensor_type("i32[5,2]")]))
    assert inputs[0].shape == results[0].shape == (5, 2)
    for wrong in ("i32[5,3]", "i32[5]"):
        with pytest.raises(ServiceError):
            specialize(text, [parse_tensor_type(wrong)])
    with pytest.raises(ServiceError, match="takes 1 arguments"):
        specialize(text, [])


def test_one_program_serves_every_size_and_compiles_ahead() -> None:
    """Each combination of sizes has executables of its own."""
    text = b"func.func @main(%x: tensor<?xf64>) -> tensor<?xf64> { return %x : tensor<?xf64> }"
    program = Program(StableHloModule(text, ("x",)), Signature(()))
    name, kernel = digest(program), Kernel()
    kernel.load(name, program_to_bytes(program))
    assert not kernel.compile(Compilation(name, (VALUE,), sizes=(("x_0", 3),)))
    assert kernel.compile(Compilation(name, (VALUE,), sizes=(("x_0", 3),)))
    for size in (3, 0, 7):
        x = np.arange(float(size))
        outcome = evaluated(kernel, evaluation(name, (VALUE,), (to_tensor(x),)))
        np.testing.assert_array_equal(to_array(outcome.results[0][0]), x)
        assert outcome.results[0][0].type == TensorType(parse_tensor_type("f64").element, (size,))
    with pytest.raises(ServiceError, match="no size was given") as caught:
        kernel.compile(Compilation(name, (VALUE,)))
    assert caught.value.reason is Reason.SHAPE_MISMATCH
