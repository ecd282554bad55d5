"""`make run`: the whole department as one program.

Checks the ports, brings the database up to date, then runs the web server, the DICOM and
HL7 listeners, the worker and its clock as children, until Ctrl-C or SIGTERM.
`python -m openpacs.supervisor PART` runs one of them alone, as its container does.
"""

import errno
import gc
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError

from apps.audit.alone import held
from openpacs.health import ask, expected_host
from openpacs.keeper import Keeper

BEGAN = time.monotonic()
LOCK_SECONDS = 15.0  # what the children of a killed supervisor may take to end


class Refused(Exception):
    """openpacs cannot start here; the message says why in one line."""


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold `home`/supervisor.lock; raises Refused while another supervisor has it.

    Children inherit the lock, so that a home whose supervisor was killed is free only
    when the last of them has ended.
    """
    with (home / "supervisor.lock").open("a+") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not held(file.fileno()):
            file.seek(0)
            owner = file.read().strip()
            if _is_alive(owner) or time.monotonic() > deadline:
                raise Refused(f"openpacs is already running on {home} (process {owner}).")
            time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _is_alive(owner: str) -> bool:
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def check_ports(address: str, ports: dict[str, int]) -> None:
    """Raise Refused for the first of `ports` (by environment name) that cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for name, port in ports.items():
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((address, port))
                trial.listen(1)
            except OSError as problem:
                raise Refused(_why(problem, address, port, name)) from None


def _why(problem: OSError, address: str, port: int, name: str) -> str:
    reasons = {
        errno.EADDRINUSE: f"Port {port} is taken by another program",
        errno.EACCES: f"Port {port} needs more rights than this account has",
        errno.EADDRNOTAVAIL: f"{address} (OPENPACS_BIND) is no address of this machine",
    }
    reason = reasons.get(problem.errno or 0, f"Port {port} cannot be used: {problem.strerror}")
    return f"{reason}. Free it, or name another one: {name}=... make run"


def make_folders() -> None:
    for folder in (settings.SPOOL_DIR, settings.BROKER_DIR):
        Path(folder).mkdir(parents=True, exist_ok=True)


def bring_database_up_to_date() -> None:
    """Migrate when there is something to migrate; raises Refused when it is not reachable."""
    try:
        executor = MigrationExecutor(connections["default"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            say("Bringing the database up to date")
            call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as problem:
        raise Refused(f"The database cannot be reached: {problem}") from None
    finally:
        connections.close_all()  # a connection must not be shared with the children


def is_ready() -> bool:
    ports = (*_dicom_ports(), settings.OPENPACS_HL7_PORT, settings.OPENPACS_EVENTS_PORT)
    listeners = filter(None, ports)  # 0: closed
    host = expected_host(settings.ALLOWED_HOSTS)
    # The listeners last, and so once: an empty connection is a line in their logs.
    return ask(settings.OPENPACS_HTTP_PORT, host=host) and all(map(_accepts, listeners))


def _dicom_ports() -> tuple[int, int]:
    return settings.OPENPACS_DICOM_PORT, settings.OPENPACS_DICOM_TLS_PORT


def _accepts(port: int) -> bool:
    # On the wildcard address a listener answers at the loopback address too.
    name = "localhost" if _is_wildcard() else settings.OPENPACS_BIND
    try:
        with socket.create_connection((name, port), timeout=1.0):
            return True
    except OSError:
        return False


def say(text: str) -> None:
    sys.stdout.write(f"openpacs | {text}\n")
    sys.stdout.flush()


def announce() -> None:
    say(f"Ready after {time.monotonic() - BEGAN:.1f} s: http://{_address()}/")
    say(
        f"DICOM: {settings.OPENPACS_AE_TITLE} on port "
        f"{' and '.join(str(port) for port in _dicom_ports() if port)}; "
        f"HL7: port {settings.OPENPACS_HL7_PORT}; stop with Ctrl-C"
    )


def _address() -> str:
    bound = settings.OPENPACS_BIND
    name = socket.gethostname() if _is_wildcard() else bound.replace("127.0.0.1", "localhost")
    return f"{name}:{settings.OPENPACS_HTTP_PORT}"


def _is_wildcard() -> bool:
    return ip_address(settings.OPENPACS_BIND).is_unspecified


def run() -> int:
    ports = {
        "OPENPACS_HTTP_PORT": settings.OPENPACS_HTTP_PORT,
        "OPENPACS_DICOM_PORT": settings.OPENPACS_DICOM_PORT,
        "OPENPACS_DICOM_TLS_PORT": settings.OPENPACS_DICOM_TLS_PORT,
        "OPENPACS_HL7_PORT": settings.OPENPACS_HL7_PORT,
        "OPENPACS_EVENTS_PORT": settings.OPENPACS_EVENTS_PORT,
    }
    with only_one(settings.OPENPACS_HOME):
        check_ports(settings.OPENPACS_BIND, ports)
        say(f"Starting {settings.OPENPACS_SITE_NAME}; data in {settings.OPENPACS_HOME}")
        if os.geteuid() == 0:
            say("Running as root: better give the department an account of its own.")
        django.setup()
        make_folders()
        bring_database_up_to_date()
        # Imported before the fork, so that each child has all of it in memory already.
        parts = import_module("openpacs.parts")
        import_module("openpacs.urls")
        if link := parts.first_user_link():
            say(f"Nobody can sign in yet. Make the first user here: {link}")
        connections.close_all()
        # What is here already stays: no child looks through it for garbage, or copies it.
        gc.collect()
        gc.freeze()
        return Keeper(parts.PARTS, is_ready=is_ready, on_ready=announce).run()


def run_one(name: str) -> int:
    """Run one part alone, as its container does; the database is another one's business."""
    django.setup()
    make_folders()
    parts = {part.name: part for part in import_module("openpacs.parts").PARTS}
    if name not in parts:
        raise Refused(f"{name} is no part of openpacs; those are {', '.join(parts)}.")
    parts[name].run()
    return 0


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")
    os.umask(0o077)  # what the department writes is for its account alone
    try:
        return run_one(sys.argv[1]) if len(sys.argv) > 1 else run()
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
