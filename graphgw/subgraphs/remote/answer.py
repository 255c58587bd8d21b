"""Read a remote subgraph's answer, strictly: what is not GraphQL is refused.

See https://graphql.github.io/graphql-over-http/draft/#sec-Response.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Final, Literal

import orjson

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceRateLimitedError,
)
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.sources.protocol import HTTPResponse
    from graphgw.subgraphs.protocol import ResponseKeyPath
    from graphgw.subgraphs.remote.answer_types import AnswerDecoder
    from graphgw.types import JSON, JSONObject

__all__ = ["ENTITIES", "AnswerReader"]

ENTITIES: Final = "_entities"
"""The root field that answers an entity fetch."""

_GRAPHQL: Final = "application/graphql-response+json"
_JSON: Final = "application/json"
_KINDS: Final = frozenset({_GRAPHQL, _JSON})
_OK: Final = 200
_TOO_MANY: Final = 429
_DETAIL_BYTES: Final = 16 * 1024
_MAX_CODE: Final = 100
_ENTITY_TYPES: Final = frozenset({dict, NoneType})


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of one subgraph.

    An answer must say that it is JSON: one with another content type, or none, is
    refused. With ``application/json`` only a status of success counts.

    ``errors`` says whether clients see the subgraph's own messages and codes.
    ``extensions`` names the members of an error's extensions that are kept.
    """

    subgraph: str
    errors: Literal["pass", "mask"] = "pass"
    extensions: frozenset[str] = frozenset()

    def read(
        self,
        response: HTTPResponse,
        entities: int | None,
        decoder: AnswerDecoder | None = None,
    ) -> FetchResult:
        """Return what a fetch was answered.

        Args:
            response: The HTTP answer.
            entities: How many entities were asked for; ``None`` for a root fetch.
            decoder: Knows the types of the answer; what it decodes is vouched for.

        Raises:
            SourceBadAnswerError: It is not a GraphQL answer, or to another question.
            SourceError: The subgraph answered with an HTTP error.
        """
        self._check(response)
        if decoder is not None:
            vouched = decoder.decode(response.body, entities)
            if vouched is not None:
                return FetchResult(vouched)
        answer = self._decode(response)
        data, errors = answer.get("data"), answer.get("errors")
        if not isinstance(data, dict | None):
            raise self._bad(response, "data that is not an object")
        if not isinstance(errors, list | None):
            raise self._bad(response, "errors that are not a list")
        if data is None and not errors:
            raise self._bad(response, "neither data nor errors")
        if data is not None and entities is not None:
            data = self._entities(response, data, entities)
            if data is None and not errors:
                raise self._bad(response, "no entities and no errors")
        found = tuple(self._errors(response, errors, entities)) if errors else ()
        return FetchResult(data, found, is_vouched=False)

    def _check(self, response: HTTPResponse) -> None:
        """Refuse an answer that does not say that it is one of GraphQL."""
        kind = response.headers.get("content-type", "")
        if kind in _KINDS and response.status == _OK:
            return
        kind = kind.partition(";")[0].strip().lower()
        is_success = 200 <= response.status < 300  # noqa: PLR2004 - the class of success
        if not is_success and kind != _GRAPHQL:
            raise self._status_error(response)
        if kind not in _KINDS:
            raise self._bad(response, "what is not JSON")

    def _decode(self, response: HTTPResponse) -> JSONObject:
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError as error:
            raise self._bad(response, "JSON that is damaged") from error
        if not isinstance(answer, dict):
            raise self._bad(response, "what is not a GraphQL answer")
        return answer

    def _entities(
        self, response: HTTPResponse, data: JSONObject, count: int
    ) -> list[JSON] | None:
        entities = data.get(ENTITIES)
        if entities is None:
            return None
        if not isinstance(entities, list) or len(entities) != count:
            raise self._bad(response, "another number of entities")
        if not _ENTITY_TYPES.issuperset(map(type, entities)):
            raise self._bad(response, "entities that are not objects")
        return entities

    def _errors(
        self, response: HTTPResponse, errors: list[JSON], entities: int | None
    ) -> Iterator[FetchError]:
        for error in errors:
            if not isinstance(error, dict) or not isinstance(error.get("message"), str):
                raise self._bad(response, "an error without message")
            path = _read_path(error.get("path"), entities)
            if self.errors == "mask":
                yield FetchError(f'subgraph "{self.subgraph}" reported an error', path)
                continue
            extensions = error.get("extensions")
            given = extensions if isinstance(extensions, dict) else {}
            kept = {name: given[name] for name in given if name in self.extensions}
            yield FetchError(error["message"], path, _read_code(given), kept)

    def _bad(self, response: HTTPResponse, what: str) -> SourceBadAnswerError:
        return SourceBadAnswerError(
            f'subgraph "{self.subgraph}" answered {what}',
            source=self.subgraph,
            status=response.status,
            detail=_detail(response),
        )

    def _status_error(self, response: HTTPResponse) -> SourceError:
        limited = response.status == _TOO_MANY
        return (SourceRateLimitedError if limited else SourceError)(
            f'subgraph "{self.subgraph}" answered {response.status}',
            source=self.subgraph,
            status=response.status,
            detail=_detail(response),
        )


def _read_code(extensions: JSONObject) -> str:
    code = extensions.get("code")
    if isinstance(code, str) and 0 < len(code) <= _MAX_CODE:
        return code
    return SourceError.code


def _read_path(path: JSON, entities: int | None) -> ResponseKeyPath:
    """Return an error's path from the fetch's answer; empty where it has none."""
    if not isinstance(path, list) or any(type(key) not in {str, int} for key in path):
        return ()
    if entities is None:
        return tuple(path)
    if len(path) > 1 and path[0] == ENTITIES and path[1] in range(entities):
        return tuple(path[1:])
    return ()


def _detail(response: HTTPResponse) -> str:
    return response.body[:_DETAIL_BYTES].decode("utf-8", "replace")
