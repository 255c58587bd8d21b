"""From request text to a document that fits the schema, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    ValidationRule,
    specified_rules,
    validate,
)
from graphql.validation import OverlappingFieldsCanBeMergedRule

from graphgw.errors import InvalidDocumentError
from graphgw.operations.measure import check_measures, measure_document
from graphgw.operations.operation import Document
from graphgw.operations.overlap import find_conflicts
from graphgw.operations.parse import choose_operation, parse_document, readable_error
from graphgw.operations.request import hash_document

if TYPE_CHECKING:
    from graphql import DocumentNode

    from graphgw.operations.budget import Budget
    from graphgw.operations.settings import LimitSettings

__all__ = ["RESERVED_PREFIX", "prepare_document", "validate_document"]

RESERVED_PREFIX: Final = "__gw_"
"""Response keys that begin so are the gateway's own."""


def prepare_document(
    text: str,
    operation_name: str | None,
    schema: GraphQLSchema,
    limits: LimitSettings,
    budget: Budget,
    *,
    hide_suggestions: bool = False,
    allow_introspection: bool = True,
) -> Document:
    """Parse, limit and validate a document and choose its operation.

    Args:
        text: The document as it came.
        operation_name: Which operation to run, if it has several.
        schema: What clients see.
        limits: What is refused before it costs time.
        budget: CPU time for all of it.
        hide_suggestions: Whether messages may name fields and types that the
            client did not ("Did you mean ...?").
        allow_introspection: Whether clients may ask for the schema.

    Raises:
        LimitError: The document is larger than a limit allows.
        InvalidDocumentError: It does not parse or does not fit the schema.
        BadRequestError: There is no such operation.
        PlanningError: The budget is used up.
    """
    node = parse_document(text, limits)
    budget.check()
    index, operation = choose_operation(node, operation_name)
    check_measures(node, limits)
    errors = validate_document(
        node,
        schema,
        budget,
        max_errors=limits.errors,
        hide_suggestions=hide_suggestions,
        allow_introspection=allow_introspection,
    )
    if errors:
        raise InvalidDocumentError([readable_error(error) for error in errors])
    measures, _ = measure_document(node)
    return Document(
        hash=hash_document(text),
        node=node,
        operation=operation,
        conditions=tuple(sorted(measures[index].conditions)),
        size=len(text.encode("utf-8", "surrogatepass")),
    )


def validate_document(
    node: DocumentNode,
    schema: GraphQLSchema,
    budget: Budget,
    *,
    max_errors: int,
    hide_suggestions: bool = False,
    allow_introspection: bool = True,
) -> list[GraphQLError]:
    """Return what the specification forbids, at most ``max_errors`` of it.

    The verdict is graphql-core's; whether fields can be merged is looked at last,
    by a check of our own whose time does not grow with the square of the document.
    """
    rules = _RULES if allow_introspection else _RULES_WITHOUT_SCHEMA
    errors = validate(schema, node, rules, max_errors, hide_suggestions)
    budget.check()
    if not errors:
        errors = find_conflicts(node, schema, budget, max_errors=max_errors)
    return errors[:max_errors]


class ReservedAliasesRule(ValidationRule):
    """Clients may not use the response keys that the gateway needs for itself."""

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        """Look at one field's alias."""
        alias = node.alias
        if alias is not None and alias.value.startswith(RESERVED_PREFIX):
            message = (
                f"Alias '{alias.value}' is reserved:"
                f" names that begin with '{RESERVED_PREFIX}' belong to the gateway."
            )
            self.report_error(GraphQLError(message, alias))


_RULES: Final = (
    *(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule),
    ReservedAliasesRule,
)
_RULES_WITHOUT_SCHEMA: Final = (*_RULES, NoSchemaIntrospectionCustomRule)
