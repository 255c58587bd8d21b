"""Serve one operation: from the request to its answer, stage by stage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from graphgw.errors import BadRequestError, GraphGWError, PersistedQueryNotFoundError
from graphgw.execution.response import (
    EncodedData,
    GraphQLResponse,
    as_plain_json,
    refuse,
)
from graphgw.execution.run import run_plan
from graphgw.policies.decision import ALLOWED, Outcome
from graphgw.policies.response_cache_control import cap_max_age
from graphgw.snapshot import PlanKey
from graphgw.telemetry.events import (
    InternalFailure,
    OperationFinished,
    OperationPrepared,
)
from graphgw.turns import next_turn

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from graphgw.answers.answer_cache import AnswerCache
    from graphgw.answers.place import AnswerPlace
    from graphgw.context import RequestContext
    from graphgw.execution.compile import CompiledPlan
    from graphgw.operations.operation import (
        GraphQLRequest,
        Operation,
        SelectionPath,
    )
    from graphgw.policies.decision import Decision, Refusal
    from graphgw.snapshot import PreparedDocument, ShownPlan, Snapshot
    from graphgw.types import JSONObject

__all__ = ["serve"]

_NOTHING_REFUSED: Final[frozenset[SelectionPath]] = frozenset()
_NO_ANSWER: Final = Outcome(500, has_errors=True)


async def serve(
    snapshot: Snapshot,
    request: GraphQLRequest,
    context: RequestContext,
    *,
    allows_mutation: bool = True,
    answers_json: bool = False,
    answers: AnswerCache | None = None,
) -> GraphQLResponse:
    """Answer one query or mutation; every failure becomes an answer.

    Emits one ``OperationFinished`` event. Only cancellation passes through.

    Args:
        snapshot: What to serve from.
        request: The client's.
        context: The request's.
        allows_mutation: Whether a mutation may run.
        answers_json: Whether the answer is sent as plain ``application/json``.
        answers: Keeps answers from one request to the next.
    """
    began = time.perf_counter()
    operation: Operation | None = None
    try:
        prepared = _find_document(snapshot, request) or await _prepare(
            snapshot, request
        )
        variables = prepared.coercion.coerce(request.variables)
        conditions = prepared.conditions(variables)
        operation = prepared.operations.get(conditions) or await snapshot.normalize(
            prepared, conditions
        )
        _check_kind(operation, allows_mutation=allows_mutation)
        if operation.kind == "mutation":
            context.may_share = False
        response = await _answer(snapshot, operation, variables, context, answers)
    except GraphGWError as error:
        response = refuse(error)
        if response.status >= 500:  # noqa: PLR2004 - HTTP's own number
            _report(context, error)
    except Exception as error:  # noqa: BLE001 - the outer edge: mask what is ours
        _report(context, error)
        response = refuse(GraphGWError("Internal server error."))
    if answers_json and response.errors:
        response = as_plain_json(response)
    context.observer.observe(
        OperationFinished(
            request_id=context.request_id,
            kind=operation.kind if operation else "unknown",
            name=operation.name if operation else request.operation_name,
            fingerprint=operation.fingerprint if operation else None,
            client_name=context.client.name,
            client_version=context.client.version,
            seconds=time.perf_counter() - began,
            status=response.status,
            error_codes=response.error_codes if response.errors else (),
            fetches=response.fetches,
            had_plan=response.had_plan,
            variant=snapshot.variant_name,
            subject=context.principal.subject,
            ip=context.principal.ip,
        )
    )
    return response


def _find_document(
    snapshot: Snapshot, request: GraphQLRequest
) -> PreparedDocument | None:
    if request.query is None:
        return None
    return snapshot.find_document(request.query, request.operation_name)


async def _prepare(snapshot: Snapshot, request: GraphQLRequest) -> PreparedDocument:
    if request.query is None:
        if "persistedQuery" in request.extensions:
            raise PersistedQueryNotFoundError("PersistedQueryNotFound")
        raise BadRequestError('the request has no "query"')
    return await snapshot.prepare_document(request.query, request.operation_name)


def _check_kind(operation: Operation, *, allows_mutation: bool) -> None:
    if operation.kind == "subscription":
        raise BadRequestError(
            "subscriptions are not answered over plain HTTP requests", status=405
        )
    if operation.kind == "mutation" and not allows_mutation:
        raise BadRequestError("mutations must be sent by POST", status=405)


def _answer(
    snapshot: Snapshot,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
    answers: AnswerCache | None,
) -> Coroutine[Any, Any, GraphQLResponse]:
    """Run an operation as far as the policies let it."""
    if operation.literals:
        variables = {**variables, **operation.literals}
    if snapshot.policies.is_open(operation, context.principal):
        return _find(snapshot, operation, variables, context, ALLOWED, answers)
    return _decide(snapshot, operation, variables, context, answers)


async def _decide(
    snapshot: Snapshot,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
    answers: AnswerCache | None,
) -> GraphQLResponse:
    """Ask the policies, run what they allow, and settle with them."""
    policies = snapshot.policies
    decision = await policies.decide(context, operation, variables)
    if decision.refusal is not None:
        return _with_headers(refuse(decision.refusal), decision)
    if decision is ALLOWED:  # there is nothing to settle
        return await _find(snapshot, operation, variables, context, decision, answers)
    outcome = _NO_ANSWER
    try:
        response = await _find(
            snapshot, operation, variables, context, decision, answers
        )
        outcome = Outcome(
            response.status,
            has_errors=bool(response.errors),
            data=None if decision.debit is None else response.plain_data,
            is_complete=True,
        )
    finally:
        await policies.settle(context, decision, outcome)
    return response


def _find(
    snapshot: Snapshot,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
    decision: Decision,
    answers: AnswerCache | None,
) -> Coroutine[Any, Any, GraphQLResponse]:
    """Return the answer that is kept, or run the operation."""
    key = _plan_key(snapshot, operation, decision, context)
    if answers is not None:
        place = snapshot.name_answer(key, operation, variables, context)
        if place is not None and not answers.is_hopeless(place.key):
            return _find_kept(
                snapshot, key, operation, variables, context, decision, answers, place
            )
    return _run(snapshot, key, operation, variables, context, decision)


async def _find_kept(
    snapshot: Snapshot,
    key: PlanKey,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
    decision: Decision,
    answers: AnswerCache,
    place: AnswerPlace,
) -> GraphQLResponse:
    """Return the answer that is kept, or run the operation and keep its answer."""
    kept = await answers.find(place, context)
    if kept is not None:
        headers = snapshot.cache_headers(
            operation, has_errors=False, principal=context.principal
        )
        return GraphQLResponse(
            EncodedData(kept.text),
            headers=decision.headers + cap_max_age(headers, int(kept.max_age)),
            had_plan=True,
        )
    with answers.fill(place, context) as filling:
        response = await _run(snapshot, key, operation, variables, context, decision)
        if response.errors or response.extensions or response.data is None:
            return response
        if not filling.may_keep():
            return response
        data = EncodedData.of(response.data)
        filling.keep(data.text)
    return replace(response, data=data)


async def _run(
    snapshot: Snapshot,
    key: PlanKey,
    operation: Operation,
    variables: JSONObject,
    context: RequestContext,
    decision: Decision,
) -> GraphQLResponse:
    compiled = snapshot.find_plan(key)
    had_plan = compiled is not None
    if compiled is None:
        compiled = await _compile(snapshot, key, operation, context)
    shown = snapshot.shown_plan(compiled, context.headers)
    if shown is not None and shown.is_dry_run:
        return GraphQLResponse(None, extensions=shown.extensions)
    if context.parts is not None and compiled.row_rules:
        context.parts.forbid()
    too_many = snapshot.policies.check_calls(context, compiled)
    if too_many is not None:
        return _with_headers(refuse(too_many), decision)
    if compiled.is_small:
        await next_turn()
    result = await run_plan(
        compiled, context, variables, names_subgraphs=snapshot.names_subgraphs
    )
    if compiled.is_small:
        # Larger answers are sent off first: there is much that they hold on to.
        await next_turn()
    if result.refused_rows:
        refusal = snapshot.policies.refuse_rows(context.principal, result.refused_rows)
        if refusal is not None:
            return _with_headers(refuse(refusal), decision)
    errors = [_refusal_entry(refusal) for refusal in decision.refusals]
    errors += result.errors
    headers = (
        decision.headers
        + result.headers
        + snapshot.cache_headers(
            operation, has_errors=bool(errors), principal=context.principal
        )
    )
    return GraphQLResponse(
        result.data,
        errors[: snapshot.max_errors],
        _extensions(shown, context),
        headers,
        fetches=len(compiled.plan.fetches),
        had_plan=had_plan,
    )


def _extensions(shown: ShownPlan | None, context: RequestContext) -> JSONObject | None:
    extensions = shown.extensions if shown else None
    if context.stale:
        extensions = {**(extensions or {}), "stale": list(context.stale)}
    return extensions


def _plan_key(
    snapshot: Snapshot,
    operation: Operation,
    decision: Decision,
    context: RequestContext,
) -> PlanKey:
    refused = (
        frozenset(refusal.selection for refusal in decision.refusals)
        if decision.refusals
        else _NOTHING_REFUSED
    )
    labels = snapshot.active_labels(context.principal.subject or context.request_id)
    return PlanKey(operation.fingerprint, refused, labels)


async def _compile(
    snapshot: Snapshot, key: PlanKey, operation: Operation, context: RequestContext
) -> CompiledPlan:
    began = time.perf_counter()
    compiled = await snapshot.compile(key, operation)
    seconds = time.perf_counter() - began
    context.observer.observe(OperationPrepared(key.fingerprint, seconds))
    return compiled


def _refusal_entry(refusal: Refusal) -> JSONObject:
    extensions = {
        **refusal.extensions,
        "code": refusal.code,
        "coordinate": refusal.coordinate,
    }
    path: Sequence[str] = list(refusal.path)
    return {"message": refusal.message, "path": path, "extensions": extensions}


def _with_headers(response: GraphQLResponse, decision: Decision) -> GraphQLResponse:
    return GraphQLResponse(
        response.data,
        response.errors,
        headers=response.headers + decision.headers,
        status=response.status,
        has_data=response.has_data,
    )


def _report(context: RequestContext, error: BaseException) -> None:
    context.observer.observe(InternalFailure(context.request_id, "operation", error))
