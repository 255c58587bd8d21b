"""Everything built from one supergraph version; swapped whole on a reload."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from graphql import print_schema

from graphgw.answers.code_version import code_version
from graphgw.answers.place import GraphName, name_answer
from graphgw.errors import BadRequestError
from graphgw.execution.arrange_rows import arrange_rows
from graphgw.execution.compile import compile_plan
from graphgw.operations.budget import Budget
from graphgw.operations.cache import BoundedCache
from graphgw.operations.cut import cut
from graphgw.operations.normalize import normalize
from graphgw.operations.validate import prepare_document
from graphgw.operations.variables import build_variable_coercion, read_conditions
from graphgw.planning.override_labels import find_active_labels
from graphgw.planning.planner import Planner
from graphgw.planning.print_plan import print_plan
from graphgw.policies.response_cache_control import cap_max_age
from graphgw.policies.variants import choose_variant
from graphgw.subgraphs.remote.subgraph import RemoteSubgraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.answers.place import AnswerPlace
    from graphgw.context import RequestContext
    from graphgw.execution.compile import CompiledPlan
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Document, Operation, SelectionPath
    from graphgw.operations.settings import LimitSettings
    from graphgw.operations.variables import VariableCoercion
    from graphgw.operations.worker import ColdWorker
    from graphgw.planning.plan import QueryPlan
    from graphgw.planning.settings import PlanningSettings
    from graphgw.policies.decision import RowRule
    from graphgw.policies.policy_set import PolicySet
    from graphgw.policies.variants import VariantPolicy
    from graphgw.subgraphs.protocol import Subgraph
    from graphgw.telemetry.observer import Observer
    from graphgw.types import Headers, JSONObject, Principal

__all__ = ["PlanKey", "PreparedDocument", "ShownPlan", "Snapshot", "UsedDocument"]

_DOCUMENTS = 2000
_DOCUMENT_BYTES = 64 * 1024 * 1024
_PLANS = 2000
_PLAN_BYTES = 128 * 1024 * 1024
_BYTES_PER_PLAN = 20_000
_BYTES_PER_SELECTION = 8000
_BYTES_PER_DOCUMENT = 40_000
_BYTES_PER_CHARACTER = 300
_MOST_OPERATIONS = 16
"""That are kept of one document, for as many values of its conditions."""
_PLAN_HEADER = "apollo-expose-query-plan"
_NO_VARIANTS: Mapping[str, Snapshot] = MappingProxyType({})


class PlanKey(NamedTuple):
    """What a compiled plan depends on, beside the supergraph."""

    fingerprint: str
    refused: frozenset[SelectionPath]
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document that fits the schema, its operations by condition values."""

    document: Document
    coercion: VariableCoercion
    operations: dict[tuple[bool, ...], Operation]

    def conditions(self, variables: JSONObject) -> tuple[bool, ...]:
        """Return the values of the variables used in ``@skip`` and ``@include``.

        Raises:
            BadUserInputError: One of them is null or was left out.
        """
        if not self.document.conditions:
            return ()
        return tuple(read_conditions(self.document, variables).values())


class UsedDocument(NamedTuple):
    """A document that clients asked, and how far it was prepared for them."""

    text: str
    operation_name: str | None
    conditions: tuple[tuple[bool, ...], ...] = ()
    """The values of its conditions that were asked for."""
    plans: tuple[PlanKey, ...] = ()
    """What its operations were planned for."""


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """A plan that a client asked to see, with its answer or instead of it."""

    extensions: JSONObject
    is_dry_run: bool


class Snapshot:
    """The supergraph with its planner, policies, subgraphs and caches of plans.

    A request keeps the snapshot it began with to its end, whatever reloads
    meanwhile. Cold work runs in the worker's thread, once however many ask.
    """

    def __init__(
        self,
        supergraph: Supergraph,
        subgraphs: Mapping[str, Subgraph],
        *,
        policies: PolicySet,
        limits: LimitSettings,
        planning: PlanningSettings,
        worker: ColdWorker,
        exposes_plans: bool = False,
        names_subgraphs: bool = False,
    ) -> None:
        self.supergraph = supergraph
        self._hash = supergraph.hash
        self.subgraphs = subgraphs
        self._remote = tuple(
            found for found in subgraphs.values() if isinstance(found, RemoteSubgraph)
        )
        for graph, subgraph in subgraphs.items():
            if isinstance(subgraph, RemoteSubgraph):
                subgraph.adopt(supergraph, graph)
        self.policies = policies
        self.loader_rules = {
            function: rule
            for subgraph in subgraphs.values()
            for function, rule in getattr(subgraph, "cache_rules", {}).items()
        }
        """What may be kept of entity loaders' rows, by the loader's function."""
        self.planner = Planner(supergraph, planning)
        self.max_errors = limits.errors
        self.variant: VariantPolicy | None = None
        """The variant that this is a view for; ``None`` for the whole graph."""
        self.variant_name: str | None = None
        self.variants: Mapping[str, Snapshot] = _NO_VARIANTS
        """The views of all variants by name."""
        self.variant_header: str | None = None
        self.has_choice = False
        """Whether at the main path something else may serve than this snapshot."""
        self.answer_headers: tuple[tuple[str, str], ...] = ()
        """Headers that stand on every answer."""
        self._default: Snapshot = self
        self._limits = limits
        self._exposes_plans = exposes_plans
        self.names_subgraphs = names_subgraphs
        self._seconds = limits.preparation_seconds
        self._worker = worker
        self._open_caches()

    def _open_caches(self) -> None:
        self._name = GraphName(self._find_version)
        """Names the answers of this snapshot, or of this view of it."""
        self._documents: BoundedCache[tuple[str, str | None], PreparedDocument] = (
            BoundedCache(max_entries=_DOCUMENTS, max_bytes=_DOCUMENT_BYTES)
        )
        self._plans: BoundedCache[PlanKey, CompiledPlan] = BoundedCache(
            max_entries=_PLANS, max_bytes=_PLAN_BYTES
        )

    def _find_version(self) -> str:
        code = code_version(self.subgraphs.values())
        if self.variant_name is None:
            return f"{self._hash} {code}"
        shown = sha256(print_schema(self.supergraph.api_schema).encode()).hexdigest()
        return f"{self._hash} {code} {self.variant_name} {shown}"

    def view(
        self, variant: VariantPolicy, contract: Supergraph, limits: LimitSettings
    ) -> Snapshot:
        """Return the same snapshot as the clients of a variant see it.

        It has an API schema, documents and plans of its own, and shares the rest.

        Args:
            variant: Who may use it, and what its answers tell.
            contract: This snapshot's supergraph, with the variant's API schema.
            limits: Those of its documents.
        """
        view = copy.copy(self)
        view.narrow(variant, contract, limits)
        return view

    def narrow(
        self, variant: VariantPolicy, contract: Supergraph, limits: LimitSettings
    ) -> None:
        """Become the view of a variant; for a copy that serves nobody yet."""
        self.variant = variant
        self.variant_name = variant.name
        # A plan names what the gateway needs itself, which is not for these clients.
        self._exposes_plans = self._exposes_plans and contract is self.supergraph
        self.supergraph = contract
        self.max_errors = limits.errors
        self._limits = limits
        self._seconds = limits.preparation_seconds
        self._open_caches()

    def adopt_variants(
        self,
        views: Mapping[str, Snapshot],
        header: str | None,
        default: str | None = None,
    ) -> None:
        """Take the views of the variants.

        Args:
            views: The views by name.
            header: The name of the header by which clients choose one.
            default: The variant that serves where none is chosen.
        """
        self.variants = views
        for view in (self, *views.values()):
            if view.variant is not None:
                view.answer_headers = view.variant.headers
            if header is not None:
                view.answer_headers += (("vary", header.lower()),)
        self.variant_header = None if header is None else header.lower()
        self._default = self if default is None else views[default]
        self.has_choice = header is not None or default is not None

    def at(self, name: str | None) -> Snapshot:
        """Return the view of a variant, or what serves where none is named.

        Raises:
            BadRequestError: There is no such variant.
        """
        if name is None:
            return self._default
        if name not in self.variants:
            raise BadRequestError("there is no graph here", status=404)
        return self.variants[name]

    def choose(
        self,
        at_path: str | None,
        headers: Headers,
        principal: Principal,
        observer: Observer,
    ) -> Snapshot:
        """Return what serves a request: the view of its variant, or all.

        Args:
            at_path: The variant whose path was asked.
            headers: Those of the request.
            principal: Who asks.
            observer: Is told of what a shadow rule would have refused.

        Raises:
            RequestError: There is no such variant, it is gone, or the caller may
                not use it.
        """
        self.at(at_path)
        name = choose_variant(
            at_path,
            headers,
            principal,
            known=self.variants,
            header=self.variant_header,
        )
        chosen = self.at(name)
        if chosen.variant is not None:
            chosen.variant.check(principal, observer)
        return chosen

    def cache_headers(
        self, operation: Operation, *, has_errors: bool, principal: Principal
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers that say how long an answer may be kept."""
        headers = self.policies.response_headers(
            operation, has_errors=has_errors, principal=principal
        )
        if self.variant is None or self.variant.max_age is None:
            return headers
        return cap_max_age(headers, self.variant.max_age)

    def name_answer(
        self,
        key: PlanKey,
        operation: Operation,
        variables: JSONObject,
        context: RequestContext,
    ) -> AnswerPlace | None:
        """Return where the answer to an operation is kept, ``None`` if nowhere."""
        if operation.kind != "query" or key.refused:
            return None
        control = self.policies.public_control(operation)
        if control is None or self._shows_plan(context.headers):
            return None
        if self.variant is not None and self.variant.max_age is not None:
            max_age = min(control.max_age, self.variant.max_age)
            control = replace(control, max_age=max_age)
        return name_answer(
            self._name,
            key,
            control,
            variables=variables,
            context=context,
            remote=self._remote,
        )

    def find_document(
        self, text: str, operation_name: str | None
    ) -> PreparedDocument | None:
        """Return a document that was prepared before."""
        return self._documents.get((text, operation_name))

    def used_documents(self) -> list[UsedDocument]:
        """Return the documents that are prepared, what was asked most first."""
        plans: dict[str, list[PlanKey]] = {}
        for key, _ in self._plans.by_use():
            plans.setdefault(key.fingerprint, []).append(key)
        return [
            UsedDocument(
                text,
                operation_name,
                tuple(prepared.operations),
                tuple(
                    key
                    for operation in prepared.operations.values()
                    for key in plans.get(operation.fingerprint, ())
                ),
            )
            for (text, operation_name), prepared in self._documents.by_use()
        ]

    async def prepare_document(
        self, text: str, operation_name: str | None
    ) -> PreparedDocument:
        """Parse, limit and validate a document, once for all who ask.

        Raises:
            RequestError: The document is wrong or larger than a limit allows.
        """
        key = (text, operation_name)
        shows_schema = self.variant is None or self.variant.has_introspection

        def read() -> PreparedDocument:
            budget = Budget(self._seconds)
            schema = self.supergraph.api_schema
            document = prepare_document(
                text,
                operation_name,
                schema,
                self._limits,
                budget,
                hide_suggestions=not shows_schema,
                allow_introspection=shows_schema,
            )
            return PreparedDocument(
                document,
                build_variable_coercion(
                    document, schema, hide_suggestions=not shows_schema
                ),
                {},
            )

        def keep(prepared: PreparedDocument) -> None:
            size = _BYTES_PER_DOCUMENT + prepared.document.size * _BYTES_PER_CHARACTER
            self._documents.put(key, prepared, size)

        return await self._worker.run(("document", self, key), read, keep)

    async def normalize(
        self, prepared: PreparedDocument, conditions: tuple[bool, ...]
    ) -> Operation:
        """Return the document's operation under these condition values."""
        document = prepared.document
        values = dict(zip(document.conditions, conditions, strict=True))

        def work() -> Operation:
            operation = normalize(
                document,
                values,
                self.supergraph.api_schema,
                budget=Budget(self._seconds),
            )
            self.policies.prepare(operation)
            return operation

        key = ("operation", self, document.hash, document.operation.name, conditions)

        def keep(operation: Operation) -> None:
            if len(prepared.operations) >= _MOST_OPERATIONS:
                del prepared.operations[next(iter(prepared.operations))]
            prepared.operations[conditions] = operation

        return await self._worker.run(key, work, keep)

    def active_labels(self, seed: str) -> frozenset[str]:
        """Return the labels of progressive overrides that are active for ``seed``."""
        return find_active_labels(self.planner.labels, seed)

    def find_plan(self, key: PlanKey) -> CompiledPlan | None:
        """Return a plan that was compiled before."""
        return self._plans.get(key)

    async def compile(self, key: PlanKey, operation: Operation) -> CompiledPlan:
        """Plan and compile an operation without its refused selections.

        Raises:
            PlanningError: It cannot be planned, or not in time.
        """

        def work() -> CompiledPlan:
            plan, rules = self._plan(operation, key.refused, key.labels)
            return compile_plan(
                plan,
                operation,
                self.supergraph,
                self.subgraphs,
                key.refused,
                rules,
            )

        def keep(compiled: CompiledPlan) -> None:
            size = _BYTES_PER_PLAN + _count_selections(operation) * _BYTES_PER_SELECTION
            self._plans.put(key, compiled, size)

        return await self._worker.run(("plan", self, key), work, keep)

    def shown_plan(self, compiled: CompiledPlan, headers: Headers) -> ShownPlan | None:
        """Return the plan as a client asked to see it, where that is allowed."""
        if not self._shows_plan(headers):
            return None
        wish = headers[_PLAN_HEADER].lower()
        text = print_plan(compiled.plan, self.supergraph)
        extensions: JSONObject = {"apolloQueryPlan": {"text": text}}
        return ShownPlan(extensions, wish == "dry-run") if wish != "false" else None

    def _shows_plan(self, headers: Headers) -> bool:
        return self._exposes_plans and _PLAN_HEADER in headers

    def plan(
        self,
        operation: Operation,
        refused: frozenset[SelectionPath] = frozenset(),
        labels: frozenset[str] = frozenset(),
    ) -> QueryPlan:
        """Plan an operation without its refused selections; takes CPU time."""
        return arrange_rows(*self._plan(operation, refused, labels)).plan

    def _plan(
        self,
        operation: Operation,
        refused: frozenset[SelectionPath],
        labels: frozenset[str],
    ) -> tuple[QueryPlan, tuple[RowRule, ...]]:
        allowed = cut(operation, refused) if refused else operation
        asked, rules = self.policies.guard_rows(allowed)
        plan = self.planner.plan(asked, budget=Budget(self._seconds), labels=labels)
        return plan, rules


def _count_selections(operation: Operation) -> int:
    count, stack = 1, list(operation.selections)
    while stack:
        count += 1
        stack.extend(stack.pop().selections)
    return count
