"""The schema (OpenAPI 3.1), and the page that shows it to people."""

import functools
import json
from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from apps.api.views.door import Door

METHODS = ("get", "post", "put", "delete")


class Schema(SpectacularAPIView):
    """As YAML, or as JSON with `Accept: application/json`."""

    authentication_classes = Door.authentication_classes
    permission_classes = Door.permission_classes
    throttle_classes = Door.throttle_classes

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view: Any = super().as_view(**initkwargs)
        view.login_required = True
        return view

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]  # untyped there

    def get_exception_handler(self) -> Any:
        return Door.get_exception_handler(self)  # type: ignore[arg-type]  # asks for no more than a view


class Nowhere(Door):
    """Every other address below /api/: a problem and not a page."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Every operation with its parameters and examples, made from the schema."""
    document = schema_document()
    sections: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for told in _operations(document):
        sections[told["tag"]].append(told)
    context = {"sections": sections.items(), "info": document["info"]}
    return render(request, "api/reference.html", context)


@functools.cache
def schema_document() -> dict[str, Any]:
    """The schema, made once per process."""
    generator: Any = SchemaGenerator
    document: dict[str, Any] = generator().get_schema(request=None, public=True)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield {
                    **_told(path, method, item[method]),
                    "fields": list(_fields(document, item[method])),
                }


def _told(path: str, method: str, one: dict[str, Any]) -> dict[str, Any]:
    answers = [
        {"status": status, "said": answer.get("description", ""), **_first(answer)}
        for status, answer in one["responses"].items()
    ]
    return {
        "tag": one["tags"][0],
        "id": one["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": one["summary"],
        "description": one["description"].partition("\n\nScope:")[0]
        if "\n\nScope:" in one["description"]
        else "",
        "scope": one["x-scope"],
        "right": one["description"].rpartition("Right: ")[2].rstrip("."),
        "parameters": one.get("parameters", []),
        "body": _first(one.get("requestBody", {})),
        "good": [answer for answer in answers if answer["status"] < "300"],
        "bad": [answer for answer in answers if answer["status"] >= "300"],
    }


def _fields(document: dict[str, Any], one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a body may say."""
    for content in one.get("requestBody", {}).get("content", {}).values():
        name = content["schema"]["$ref"].rpartition("/")[2]
        shape = document["components"]["schemas"][name]
        for field, told in shape["properties"].items():
            kind = told.get("type", "")
            yield {
                "name": field,
                "kind": kind if isinstance(kind, str) else " or ".join(kind),
                "required": field in shape.get("required", ()),
                "means": told.get("description", "").partition("\n")[0],
            }


def _first(holder: dict[str, Any]) -> dict[str, str]:
    """The media type and the first example of a body."""
    for media_type, content in holder.get("content", {}).items():
        examples = list(content.get("examples", {}).values())
        shown = json.dumps(examples[0]["value"], indent=2) if examples else ""
        return {"media_type": media_type, "example": shown}
    return {}
