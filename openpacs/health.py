"""Is the web server answering? `python -m openpacs.health` asks it, for containers.

What it says is in `openpacs/health_page.py`. Nothing of Django is imported here: asking is to
cost little.
"""

import http.client
import os
import socket
import sys


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


def accepts(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2.0).close()
    except OSError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """`python -m openpacs.health [PORT]`: 0 if the web server, or the listener, is well."""
    if arguments:
        return 0 if accepts(int(arguments[0])) else 1
    name = expected_host(os.environ.get("ALLOWED_HOSTS", "localhost").split(","))
    return 0 if ask(int(os.environ.get("OPENPACS_HTTP_PORT", "8000")), host=name) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
