"""Is the web server answering, and can it reach its database?

`/health/` says so to load balancers; `python -m openpacs.health` asks it, for containers.
"""

import http.client
import os
import sys

from django.db import connection
from django.http import HttpRequest, HttpResponse


def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 when a query goes through; an unreachable database is a 500."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain", headers={"Cache-Control": "no-store"})


def ask(port: int, *, host: str = "localhost", timeout: float = 2.0) -> bool:
    """Ask the web server on this machine; `host` is the name it expects to be called by."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        asking.request("GET", "/health/", headers={"Host": host})
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def expected_host(allowed: list[str]) -> str:
    """A name of ALLOWED_HOSTS that the server will accept."""
    name = allowed[0] if allowed else "localhost"
    return "localhost" if name == "*" else name.lstrip(".")


if __name__ == "__main__":
    name = expected_host(os.environ.get("ALLOWED_HOSTS", "localhost").split(","))
    port = int(os.environ.get("OPENPACS_HTTP_PORT", "8000"))
    sys.exit(0 if ask(port, host=name) else 1)
