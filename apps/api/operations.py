"""How an operation is described: what it asks and answers, what it needs, how it fails."""

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from apps.accounts.models import Scope

# What each refusal means, wherever it is answered.
MEANINGS = {
    400: "The request cannot be understood; `errors` names the fields.",
    401: "No token or session, or one that is unknown, expired or revoked.",
    403: "The token lacks the scope, or its owner the right.",
    404: "There is no such object among those the caller may see.",
    409: "The state of things does not allow it.",
    413: "The body is too large.",
    415: "The body is not of a type that is taken.",
    422: "The values cannot be stored; `errors` names the fields.",
    429: "Too many requests in a minute: try again after `Retry-After` seconds.",
    503: "The stored data cannot be read at the moment: try again after `Retry-After` seconds.",
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class FieldError(serializers.Serializer[Any]):
    field = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """What went wrong (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]  # a serializer has errors, too


def operation(
    name: str,
    *,
    tag: str,
    summary: str,
    scope: Scope,
    right: str,
    answer: Any,
    example: Any,
    status: int = 200,
    query: type[serializers.Serializer[Any]] | None = None,
    body: type[serializers.Serializer[Any]] | None = None,
    asked: Any = None,
    errors: Sequence[int] = (),
    words: str = "",
    media_type: str = "application/json",
    uncounted: bool = False,
) -> Callable[[Any], Any]:
    """Describe a method of a view, under a `name` for clients made from the schema.

    `asked` and `example` show a body and its answer; `uncounted`: it may be asked at any rate.
    """
    common = [400, 401, 403, *((413, 415) if body else ()), *(() if uncounted else (429,)), *errors]
    responses: dict[Any, Any] = {(status, media_type): answer}
    for code in sorted(set(common)):
        responses[(code, "application/problem+json")] = _failing(code)
    examples = [_example("Answer", example, response_only=True, status_codes=[str(status)])]
    if asked is not None:
        examples.append(_example("Request", asked, request_only=True))
    # OpenAPI 3.1, 4.8.30.1: beside a scheme the roles that are needed.
    security: Any = [{"token": [scope.value]}, {"session": []}]
    described: Callable[[Any], Any] = extend_schema(
        operation_id=name,
        tags=[tag],
        summary=summary,
        description=f"{words}\n\nScope: `{scope.value}`. Right: {right}.".strip(),
        parameters=[query] if query else None,
        request=body,
        responses=responses,
        examples=[one for one in examples if one.value is not None],
        auth=security,
        extensions={"x-scope": scope.value},
    )
    return described


def _example(name: str, value: Any, **where: Any) -> OpenApiExample:
    return OpenApiExample(name, value=value, **where)


def _failing(code: int) -> OpenApiResponse:
    said = {"type": "about:blank", "title": TITLES[code], "status": code, "detail": MEANINGS[code]}
    example = OpenApiExample(TITLES[code], value=said, status_codes=[str(code)])
    return OpenApiResponse(Problem, description=MEANINGS[code], examples=[example])


BINARY = OpenApiTypes.BINARY
