"""What this service can do, written from its routes (PS3.18 8.9)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.urls import URLPattern, URLResolver, get_resolver

from apps.dicomweb.methods import Description, methods_of

_NOTHING = Description()
_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Resource:
    """One route: `path` below the service, with places in braces."""

    name: str
    path: str
    methods: Sequence[str]
    description: Description


def resources() -> list[Resource]:
    """Every route of the service, in the order in which they are asked."""
    (service,) = _services(get_resolver().url_patterns)
    return [_resource(one) for one in service.url_patterns if isinstance(one, URLPattern)]


def as_json(root: str) -> dict[str, Any]:
    """The resources with their methods, parameters and media types."""
    return {"base": f"{root}/", "resources": [_json(one) for one in resources()]}


def as_wadl(root: str) -> bytes:
    """The same as a Web Application Description (W3C submission of August 2009)."""
    inner = "".join(_wadl_resource(one) for one in resources())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<application xmlns="http://wadl.dev.java.net/2009/02"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
        f"<resources base={quoteattr(f'{root}/')}>{inner}</resources></application>"
    ).encode()


def _services(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLResolver]:
    for one in patterns:
        if isinstance(one, URLResolver) and one.app_name == "dicomweb":
            yield one


def _resource(route: URLPattern) -> Resource:
    view = route.callback
    return Resource(
        name=str(route.name),
        path=_PLACE.sub(r"{\1}", str(route.pattern)),
        methods=methods_of(view),
        description=getattr(view, "description", _NOTHING),
    )


def _json(one: Resource) -> dict[str, Any]:
    made: dict[str, Any] = {"path": one.path, "methods": list(one.methods)}
    if one.description.parameters:
        made["parameters"] = list(one.description.parameters)
    if one.description.media_types:
        made["mediaTypes"] = list(one.description.media_types)
    return made


def _wadl_resource(one: Resource) -> str:
    places = "".join(
        f'<param name="{name}" style="template" required="true" type="xsd:string"/>'
        for name in re.findall(r"{(\w+)}", one.path)
    )
    methods = "".join(_wadl_method(method, one) for method in one.methods)
    return f"<resource path={quoteattr(one.path)}>{places}{methods}</resource>"


def _wadl_method(method: str, one: Resource) -> str:
    start = f'<method name="{method}" id={quoteattr(f"{method.lower()}-{one.name}")}'
    if method != "GET" or one.description == _NOTHING:
        return f"{start}/>"
    parameters = "".join(
        f'<param name="{escape(name)}" style="query" type="xsd:string"/>'
        for name in one.description.parameters
    )
    types = "".join(
        f"<representation mediaType={quoteattr(kind)}/>" for kind in one.description.media_types
    )
    return (
        f'{start}><request>{parameters}</request><response status="200">{types}</response></method>'
    )
