"""Who may change what: owners, and those who may write for everybody."""

from __future__ import annotations

from graphgw import RequestContext, ResolverError

__all__ = ["check_owner"]


def check_owner(context: RequestContext, user_id: str, scope: str) -> None:
    """Refuse callers who are neither the user nor have the scope.

    Raises:
        ResolverError: With the code of a refused field.
    """
    principal = context.principal
    if principal.subject != user_id and scope not in principal.scopes:
        raise ResolverError(
            f"only the user, or who has the scope {scope}, may do this",
            code="UNAUTHORIZED_FIELD_OR_TYPE",
        )
