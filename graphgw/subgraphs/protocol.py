"""What every subgraph can do: prepare a fetch once, run it many times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSONObject

__all__ = ["FetchError", "FetchResult", "PreparedFetch", "ResponseKeyPath", "Subgraph"]

ResponseKeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FetchError:
    """One error in a fetch's answer.

    ``path`` starts at the fetch's own answer: response keys for a root fetch, the
    index of the representation first for an entity fetch; empty where the whole
    fetch failed. ``code`` is from ``errors.ERROR_CODES`` or the resolver's own.
    """

    message: str
    path: ResponseKeyPath = ()
    code: str = "SOURCE_ERROR"
    extensions: JSONObject = field(default_factory=dict)


@record
class FetchResult:
    """A fetch's answer.

    ``data`` is the root object, or for an entity fetch a list with one object (or
    ``None``) per representation, in order; ``None`` where nothing came. The objects
    are fresh, so that the caller may change them in place, unless the result
    ``is_shared``. ``headers`` are meant for the client's answer.
    """

    data: Any
    errors: tuple[FetchError, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cache_control: str | None = None
    """What the subgraph says of how long its answer may be kept."""
    is_vouched: bool = field(default=True, repr=False, compare=False)
    """Whether it keeps what a ``vouched_schema`` promises."""
    is_shared: bool = field(default=False, repr=False, compare=False)
    """Whether other requests have some of the same objects: nobody may change them."""


class PreparedFetch(Protocol):
    """A fetch that was compiled for its subgraph."""

    async def run(
        self,
        context: RequestContext,
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        """Fetch once.

        Args:
            context: The request's context; its deadline bounds the fetch.
            variables: JSON input values by name, defaults filled in, checked
                against the API schema; absent where the client left one out.
            representations: Distinct representations; empty for a root fetch.

        Raises:
            SourceError: The whole fetch failed.
        """
        ...

    def code(self) -> str:
        """Return what was prepared, as text: generated source or a document."""
        ...


class Subgraph(Protocol):
    """One service's GraphQL schema and what answers it.

    One that also has a true attribute ``keeps_order`` promises that the objects of a
    list have their keys in one order; those of others are looked at one by one.

    One that also has a ``vouched_schema``, a ``GraphQLSchema``, promises more: it
    coerces every value by that schema and moves nulls up itself; objects have the
    keys that the fetch asks for, in that order, and no others; what is null and may
    not be has an error. Such answers are taken as they are.
    """

    @property
    def name(self) -> str:
        """The subgraph's name, as in the supergraph."""
        ...

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> PreparedFetch:
        """Compile a fetch; ``variables`` are the operation's declarations."""
        ...
