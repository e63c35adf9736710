"""The methods of a function: JAX's transformations, whoever carries the call.

The functions of the synchronous and asynchronous clients and of their streams differ only in what a call
gives: a result, an awaitable, a future. So the methods stand once, over one abstract step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from pullback._descriptions import FunctionDetails
from pullback._evaluation.calls import Call, Pick, build, everything, in_order, only
from pullback._evaluation.inputs import Inputs
from pullback._evaluation.plans import Plans
from pullback._evaluation.wants import Argnums, Mode, Quantity, Want
from pullback.program.signature import Signature

R = TypeVar("R")


class Transformations(ABC, Generic[R]):
    """A function with its derivatives.

    Arguments come by position or by name, as in a call of the function: arrays, numbers, nested lists of
    numbers, or trees of them, as in the signature. An array with one more leading axis than in the
    signature is batched, one without is shared by all points; results of a batch have that leading axis.
    Results are numpy arrays in the trees that JAX would give. An argument whose name is that of an option
    (`argnums`, `timeout`, ...) is given by position.

    Every method raises InvalidArgumentError for arguments that do not fit, before anything is sent where
    that is possible, and another PullbackError where the call fails.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def details(self) -> FunctionDetails:
        """All that the server says of the function."""

    @property
    @abstractmethod
    def plans(self) -> Plans:
        """What its evaluations have in common, kept from call to call."""

    @property
    def name(self) -> str:
        """The name under which it is registered; `tenant/name` where it belongs to another tenant."""
        return self.details.name

    @property
    def grants(self) -> tuple[str, ...]:
        """The other tenants that might evaluate it when the server was asked; `*` is all of them."""
        return self.details.grants

    @property
    def revision(self) -> str:
        """The resource name of the revision that is evaluated: `functions/{name}/revisions/{digest}`."""
        return self.details.revision

    @property
    def digest(self) -> str:
        """The digest of its program: 64 hexadecimal digits."""
        return self.details.digest

    @property
    def signature(self) -> Signature:
        """What goes in and what comes out."""
        return self.details.signature

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that the registration gave."""
        return self.details.labels

    @property
    def description(self) -> str:
        """A text for people."""
        return self.details.description

    @abstractmethod
    def _run(self, prepare: Callable[[], Call], timeout: float | None) -> R:
        """Carries a call out; what `prepare` raises is the call's own failure."""

    def __call__(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> R:
        """The value of the function."""
        return self._evaluate(("value",), Inputs(args, kwargs), None, only, timeout)

    def grad(
        self, *args: Any, argnums: Argnums | None = None, timeout: float | None = None, **kwargs: Any
    ) -> R:
        """The gradient of a function whose result is one real scalar, as `jax.grad`.

        Args:
            *args: Arguments by position.
            argnums: An integer for a bare gradient, a sequence for a tuple of them; None is argument 0.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        return self._evaluate(("grad",), Inputs(args, kwargs), argnums, only, timeout)

    def value_and_grad(
        self, *args: Any, argnums: Argnums | None = None, timeout: float | None = None, **kwargs: Any
    ) -> R:
        """The value and the gradient, as `jax.value_and_grad`."""
        return self._evaluate(("value", "grad"), Inputs(args, kwargs), argnums, in_order, timeout)

    def jacobian(
        self,
        *args: Any,
        sparse: bool = False,
        modes: Sequence[Mode] | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """The Jacobian, as `jax.jacobian`.

        Args:
            *args: Arguments by position.
            sparse: Whether to give, in the place of each array, a `Sparse`: the entries that can differ from
                zero, at a cost that follows from their pattern.
            modes: `["forward"]` or `["reverse"]`; None is what the server finds cheaper.
            argnums: As in `grad`.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        wants = (Want("jacobian", sparse=sparse, modes=modes),)
        return self._evaluate(wants, Inputs(args, kwargs), argnums, only, timeout)

    def jacfwd(
        self, *args: Any, argnums: Argnums | None = None, timeout: float | None = None, **kwargs: Any
    ) -> R:
        """The Jacobian in forward mode, as `jax.jacfwd`."""
        return self._evaluate(("jacfwd",), Inputs(args, kwargs), argnums, only, timeout)

    def jacrev(
        self, *args: Any, argnums: Argnums | None = None, timeout: float | None = None, **kwargs: Any
    ) -> R:
        """The Jacobian in reverse mode, as `jax.jacrev`."""
        return self._evaluate(("jacrev",), Inputs(args, kwargs), argnums, only, timeout)

    def hessian(
        self,
        *args: Any,
        sparse: bool = False,
        modes: Sequence[Mode] | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """The Hessian, as `jax.hessian`.

        Args:
            *args: Arguments by position.
            sparse: Whether to give, in the place of each array, a `Sparse`; for one real scalar as result.
            modes: The two modes, innermost first; None is `["reverse", "forward"]`, forward over reverse.
            argnums: As in `grad`.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        wants = (Want("hessian", sparse=sparse, modes=modes),)
        return self._evaluate(wants, Inputs(args, kwargs), argnums, only, timeout)

    def hessian_diag(
        self,
        *args: Any,
        modes: Sequence[Mode] | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """The diagonal of the Hessian, without the Hessian.

        Its tree is that of the Jacobian: for one real scalar as result that of the arguments in argnums.

        Args:
            *args: Arguments by position.
            modes: `["reverse", "forward"]`, or `["forward", "forward"]`, which keeps nothing for a reverse
                pass; None is the server's choice.
            argnums: As in `grad`.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        wants = (Want("hessian_diag", modes=modes),)
        return self._evaluate(wants, Inputs(args, kwargs), argnums, only, timeout)

    def laplacian(
        self,
        *args: Any,
        modes: Sequence[Mode] | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """The Laplacian: the sum of the diagonal of the Hessian, without the Hessian; a tree like the result.

        Args:
            *args: Arguments by position.
            modes: As in `hessian_diag`.
            argnums: The arguments over whose elements the sum goes, as in `grad`.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        wants = (Want("laplacian", modes=modes),)
        return self._evaluate(wants, Inputs(args, kwargs), argnums, only, timeout)

    def derivative(
        self,
        *args: Any,
        order: int,
        modes: Sequence[Mode] | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """The derivative of any order, all its axes: order 1 is the Jacobian, order 2 the Hessian.

        Args:
            *args: Arguments by position.
            order: How often to differentiate, from 1.
            modes: `"forward"` or `"reverse"` for each differentiation, innermost first; None is reverse and
                then forward, and for order 1 what the server finds cheaper.
            argnums: As in `grad`.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        wants = (Want("derivative", order=order, modes=modes),)
        return self._evaluate(wants, Inputs(args, kwargs), argnums, only, timeout)

    def jvp(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        *,
        directions: int | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
    ) -> R:
        """The value and its derivative along the tangents, as `jax.jvp`.

        Args:
            primals: The arguments.
            tangents: A tangent for each argument in argnums; None or zeros of float0 for integers.
            directions: How many tangents each argument has, on a leading axis; those of the result then have
                it, too. None is one, without such an axis.
            argnums: The arguments that have tangents; None is all.
            timeout: In seconds; None is the client's.
        """
        inputs = Inputs(primals, tangents=tangents, as_primals=True)
        return self._evaluate(
            ("value", Want("jvp", directions=directions)), inputs, argnums, in_order, timeout
        )

    def vjp(
        self,
        primals: Sequence[Any],
        cotangents: Any,
        *,
        directions: int | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
    ) -> R:
        """The value and the cotangents pulled back, as `jax.vjp` applied at once.

        Args:
            primals: The arguments.
            cotangents: A tree like the result; None or zeros of float0 for integers.
            directions: How many cotangents there are, on a leading axis; what is pulled back then has it,
                too. None is one, without such an axis.
            argnums: The arguments to pull back to; None is all, as a tuple. Integers get zeros of float0.
            timeout: In seconds; None is the client's.
        """
        inputs = Inputs(primals, cotangents=cotangents, as_primals=True)
        return self._evaluate(
            ("value", Want("vjp", directions=directions)), inputs, argnums, in_order, timeout
        )

    def hvp(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        *,
        directions: int | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
    ) -> R:
        """The Hessian times tangents, without the Hessian.

        With argument 0 alone this is `jax.jvp(jax.grad(f), primals, tangents)[1]`.

        Args:
            primals: The arguments.
            tangents: A tangent for each argument in argnums.
            directions: How many tangents each argument has, on a leading axis; the products then have it,
                too. None is one, without such an axis.
            argnums: The arguments of the Hessian, its rows and columns; None is argument 0.
            timeout: In seconds; None is the client's.
        """
        inputs = Inputs(primals, tangents=tangents, as_primals=True)
        return self._evaluate((Want("hvp", directions=directions),), inputs, argnums, only, timeout)

    def ggn_vp(
        self,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        *,
        directions: int | None = None,
        argnums: Argnums | None = None,
        timeout: float | None = None,
    ) -> R:
        """The Gauss-Newton matrix times tangents: `J.T @ (J @ v)`, with neither matrix made.

        The function gives the residuals r of a least-squares problem; J^T J is the Hessian of |r|^2 / 2
        without its second derivatives of r (Schraudolph, 2002). Its tree is that of the arguments in argnums.

        Args:
            primals: The arguments.
            tangents: A tangent for each argument in argnums.
            directions: As in `hvp`.
            argnums: The arguments of the Gauss-Newton matrix, its rows and columns; None is argument 0.
            timeout: In seconds; None is the client's.
        """
        inputs = Inputs(primals, tangents=tangents, as_primals=True)
        return self._evaluate((Want("ggn_vp", directions=directions),), inputs, argnums, only, timeout)

    def evaluate(
        self,
        *args: Any,
        want: Iterable[Quantity | Want],
        argnums: Argnums | None = None,
        tangents: Sequence[Any] | None = None,
        cotangents: Any = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> R:
        """Several quantities in one pass over one primal: a `Results`.

        Args:
            *args: Arguments by position.
            want: What is wanted, such as `["value", "grad", Want("derivative", order=3)]`.
            argnums: For wants that do not say.
            tangents: For `jvp`, `hvp` and `ggn_vp`: a tangent for each argument in their argnums.
            cotangents: For `vjp`: a tree like the result.
            timeout: In seconds; None is the client's.
            **kwargs: Arguments by name.
        """
        inputs = Inputs(args, kwargs, tangents, cotangents)
        return self._evaluate(want, inputs, argnums, everything, timeout)

    def _evaluate(
        self,
        wants: Iterable[Quantity | Want],
        inputs: Inputs,
        argnums: Argnums | None,
        pick: Pick,
        timeout: float | None,
    ) -> R:
        return self._run(partial(build, self.plans, wants, inputs, argnums, pick), timeout)
