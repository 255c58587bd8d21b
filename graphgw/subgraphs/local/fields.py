"""What backend teams write on their types: where the value of a field comes from."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict, Unpack

import strawberry

from graphgw.errors import InternalError
from graphgw.subgraphs.loaders import Loader, as_loader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from strawberry.federation.schema_directives import Override
    from strawberry.types.field import StrawberryField

__all__ = [
    "Batched",
    "Binding",
    "Computed",
    "EntityKey",
    "FieldOptions",
    "Reference",
    "Resolved",
    "RowOf",
    "Sourced",
    "batched",
    "binding_of",
    "by",
    "computed",
    "embedded",
    "reference",
    "resolved",
    "sourced",
]

_METADATA_KEY: Final = "graphgw"


@dataclass(frozen=True, slots=True)
class Sourced:
    """Read from the row under another name, or deeper in it."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batched:
    """Loaded for the whole column at once, by what ``keys`` name in each row."""

    loader: Loader[..., Any]
    keys: tuple[str, ...]
    is_tuple: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """Answered by one call that needs no row."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Computed:
    """Worked out from other values of the same row."""

    function: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RowOf:
    """Makes the row of an embedded object: of values in order, and of constants.

    Generated code need not call it, as all that it does is known.
    """

    names: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *values: Any) -> dict[str, Any]:
        """Return the row."""
        return {**self.constants, **dict(zip(self.names, values, strict=True))}


@dataclass(frozen=True, slots=True)
class Reference:
    """An entity of which the row knows the key: key field and row name, in pairs."""

    keys: tuple[tuple[str, str], ...]


Binding: TypeAlias = Sourced | Batched | Resolved | Computed | Reference


@dataclass(frozen=True, slots=True)
class EntityKey:
    """A key of an entity and the batch function that loads by it."""

    fields: str
    loader: Loader[..., Any]


class FieldOptions(TypedDict, total=False):
    """What Strawberry and federation let one say of a field."""

    name: str | None
    description: str | None
    deprecation_reason: str | None
    directives: Sequence[object]
    authenticated: bool
    external: bool
    inaccessible: bool
    override: Override | str | None
    policy: list[list[str]] | None
    provides: list[str] | None
    requires: list[str] | None
    requires_scopes: list[list[str]] | None
    shareable: bool
    tags: Sequence[str]


def by(fields: str, function: object) -> EntityKey:
    """Say which batch function loads an entity by which key.

    Args:
        fields: The key as in ``@key``: ``"id"`` or ``"sku region"``; several fields
            give the function tuples, in this order.
        function: ``async def(keys, context) -> rows in key order``.
    """
    return EntityKey(fields, as_loader(function))


def batched(
    function: object, *, key: str | tuple[str, ...], **options: Unpack[FieldOptions]
) -> Any:
    """Declare a field that a batch function loads for many rows at once.

    The function's keyword-only parameters become the field's GraphQL arguments.

    Args:
        function: ``async def(keys, context, *, arguments) -> values in key order``.
        key: What is read from each row; a tuple of names gives tuples. A row whose
            key is ``None`` gets ``None`` without a call.
        **options: As for ``strawberry.federation.field``; ``requires`` adds fields
            of other subgraphs to the representation.

    Example::

        orders: list[Order] = batched(orders_by_user, key="id")
    """
    loader = as_loader(function)
    names = key if isinstance(key, tuple) else (key,)
    binding = Batched(loader, names, isinstance(key, tuple))
    return _field(binding, loader.function, options)


def resolved(function: Callable[..., Any], **options: Unpack[FieldOptions]) -> Any:
    """Declare a field of Query, Mutation or Subscription that a function answers.

    Args:
        function: ``async def(context, *, arguments) -> row``; for a subscription an
            async generator of rows.
        **options: As for ``strawberry.federation.field``.
    """
    return _field(Resolved(function), function, options)


def computed(
    function: Callable[..., Any],
    *,
    reads: tuple[str, ...] = (),
    **options: Unpack[FieldOptions],
) -> Any:
    """Declare a field that is worked out from other values of its row.

    Args:
        function: Called for each row with the values read, in order; may be async.
            Keyword-only parameters become the field's GraphQL arguments.
        reads: Names of what it needs of the row.
        **options: As for ``strawberry.federation.field``.

    Example::

        name: str = computed("{} {}".format, reads=("first_name", "last_name"))
    """
    return _field(Computed(function, reads), function, options)


def embedded(
    *,
    constants: Mapping[str, Any] | None = None,
    options: FieldOptions | None = None,
    **parts: str,
) -> Any:
    """Declare a field that is an object whose values stand in the row around it.

    It is never null. It says the same as ``computed`` with a function that returns a
    dict, and costs less: no function is called, and no dict made, for each row.

    Args:
        constants: Values of the object that are the same for every row.
        options: As for ``strawberry.federation.field``.
        **parts: For each value that the object's type reads from its rows, what holds
            it in the row around: a field, key, attribute or dotted path.

    Example::

        unit_price: Money = embedded(cents="unit_price_cents", currency="currency")
    """
    function = RowOf(tuple(parts), dict(constants or {}))
    return _field(Computed(function, tuple(parts.values())), function, options or {})


def sourced(source: str, **options: Unpack[FieldOptions]) -> Any:
    """Declare a field that is read from its row under another name.

    Args:
        source: A key or attribute of the row, or a path such as ``price.amount``.
        **options: As for ``strawberry.federation.field``.
    """
    return _field(Sourced(tuple(source.split("."))), None, options)


def reference(*, options: FieldOptions | None = None, **keys: str) -> Any:
    """Declare a field that is an entity of which the row knows the key.

    Nothing is loaded while only the key is asked for.

    Args:
        options: As for ``strawberry.federation.field``.
        **keys: For each field of the entity's key, what holds it in the row.

    Example::

        product: Product = reference(id="product_id")
    """
    return _field(Reference(tuple(keys.items())), None, options or {})


def binding_of(field: StrawberryField) -> Binding | None:
    """Return where a field's value comes from; ``None`` for Strawberry's own ways."""
    metadata: Mapping[Any, Any] = field.metadata
    binding = metadata.get(_METADATA_KEY)
    return binding if isinstance(binding, Binding) else None


def _field(
    binding: Binding, function: Callable[..., Any] | None, options: FieldOptions
) -> Any:
    resolver = None if function is None else _stub(function)
    is_subscription = isinstance(binding, Resolved) and inspect.isasyncgenfunction(
        function
    )
    declare: Any = strawberry.federation.field
    return declare(
        resolver=resolver,
        is_subscription=is_subscription,
        metadata={_METADATA_KEY: binding},
        **options,
    )


def _stub(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function by which Strawberry learns the arguments; never called."""

    def answered_elsewhere(**_arguments: object) -> None:
        raise InternalError("this field is answered by a selection program")

    answered_elsewhere.__name__ = getattr(function, "__name__", "field")
    answered_elsewhere.__module__ = getattr(function, "__module__", __name__)
    answered_elsewhere.__annotations__ = {}
    stub: Any = answered_elsewhere
    stub.__signature__ = inspect.Signature(_arguments(function))
    return answered_elsewhere


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have no signature
        return []
    return [p for p in parameters if p.kind is p.KEYWORD_ONLY]
