"""What a front says about the request it passes on, believed from fronts that are listed.

From everybody else `Forwarded` (RFC 7239) and `X-Forwarded-*` are taken away, so that nothing
behind can read them by mistake.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from granian.utils.proxies import wrap_wsgi_with_proxy_headers

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
_WORDS = {
    "for": "HTTP_X_FORWARDED_FOR",
    "proto": "HTTP_X_FORWARDED_PROTO",
    "host": "HTTP_X_FORWARDED_HOST",
}


def believing(application: Application, trusted: Sequence[str]) -> Application:
    """The application behind fronts at these addresses or networks (`*`: any)."""
    inner: Application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=list(trusted))

    def wrapped(environ: Environ, start_response: Any) -> Iterable[bytes]:
        if _is_among(environ.get("REMOTE_ADDR", ""), trusted):
            _translate(environ)
        else:
            _forget(environ)
        return inner(environ, start_response)

    return wrapped


def _is_among(address: str, trusted: Sequence[str]) -> bool:
    if "*" in trusted:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return address in trusted
    return any(found in ip_network(one, strict=False) for one in trusted if _is_network(one))


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _translate(environ: Environ) -> None:
    """RFC 7239 as the older headers, where only that is there; the host as it was asked for."""
    said = environ.get("HTTP_FORWARDED", "")
    if said and not any(name in environ for name in _WORDS.values()):
        for word, name in _WORDS.items():
            if values := list(_values(said, word)):
                environ[name] = ", ".join(values) if word == "for" else values[0]
    if host := environ.get("HTTP_X_FORWARDED_HOST", "").partition(",")[0].strip():
        environ["HTTP_HOST"] = host  # held against ALLOWED_HOSTS as any other


def _values(said: str, word: str) -> Iterable[str]:
    """The values of one parameter of all hops, from the first on; ports and brackets removed."""
    for hop in said.split(","):
        for pair in hop.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.lower() == word and value:
                plain = value.strip('"')
                yield _address(plain) if word == "for" else plain


def _address(text: str) -> str:
    """`[2001:db8::1]:4711`, `192.0.2.1:4711` without what is not the address."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _forget(environ: Environ) -> None:
    for name in [name for name in environ if name.startswith("HTTP_X_FORWARDED_")]:
        del environ[name]
    environ.pop("HTTP_FORWARDED", None)
