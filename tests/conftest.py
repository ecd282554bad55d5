"""What every test may ask for."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import connections
from django.test import Client, TransactionTestCase
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.dimse.pausing import pause_surely
from apps.studies.services import rendering
from tests import database
from tests.factories import make_user, signed_in
from tests.prepare import find_program

hypothesis.settings.register_profile("any machine", deadline=None)  # speed is no test
hypothesis.settings.load_profile("any machine")

SAMPLES = Path(
    os.environ.get("OPENPACS_SAMPLES", Path(__file__).parents[1] / ".." / "shared" / "data")
).resolve()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The database of this process; what the migrations wrote comes back after each test."""
    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: database.bring_back())
    with django_db_blocker.unblock():
        database.set_up()
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _associations_kept_in_order() -> Iterator[None]:
    """pynetdicom closes no socket that its peer has cut: the shutdown before it fails.

    The garbage collector would close it during some later test, which would be blamed. And its
    thread takes answers away from tests that wait for them (see `apps/dimse/pausing.py`).
    """
    patch = pytest.MonkeyPatch()
    patch.setattr(AssociationSocket, "_shutdown_socket", _shut_and_close)
    patch.setattr(AE, "associate", _associate)
    yield
    patch.undo()


_associate_as_it_is = AE.associate


def _associate(*args: Any, **options: Any) -> Association:
    association = _associate_as_it_is(*args, **options)
    pause_surely(association)
    return association


def _shut_and_close(connection: AssociationSocket) -> None:
    if connection.socket is not None:
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.socket.close()


@pytest.fixture(scope="session", autouse=True)
def _workshops_closed() -> Iterator[None]:
    """Their processes serve all tests; at the end none is left behind."""
    yield
    rendering.close()


@pytest.fixture
def origin() -> Origin:
    return Origin(protocol="test", peer="tests", address="127.0.0.1")


@pytest.fixture
def user_of(db: None) -> Callable[[str], User]:
    """A user holding one role: `user_of("radiologist")`."""
    return make_user


@pytest.fixture
def as_role(user_of: Callable[[str], User]) -> Callable[[str], Client]:
    """A browser in which a user of that role is signed in: `as_role("front-desk")`."""

    def sign_in(role: str) -> Client:
        return signed_in(user_of(role))

    return sign_in


@pytest.fixture
def samples() -> Path:
    """The public sample data; tests that need it are skipped by name where it is absent."""
    if not (SAMPLES / "MANIFEST.csv").is_file():
        do_without(f"the public sample data is not at {SAMPLES} (set OPENPACS_SAMPLES)")
    return SAMPLES


def do_without(message: str) -> None:
    """Skip the test for this reason; fail it where everything was to be prepared."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        action="store_true",
        help="only tests in which the database, the broker or the cache has a part",
    )


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files whose tests take long come first, so that no process is left with one at the end.

    Within a file, and among those that are quick, the order stays shuffled. The second run,
    on other engines, leaves out what cannot come out otherwise there.
    """
    if config.getoption("engines"):
        left_out = [item for item in items if not asks_engines(item)]
        items[:] = [item for item in items if asks_engines(item)]
        config.hook.pytest_deselected(items=left_out)
    slow = {
        item.path
        for item in items
        if any(item.get_closest_marker(mark) for mark in ("browser", "fault", "peer"))
    }
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests against foreign software need it: DCMTK, or what their mark names."""
    for mark in item.iter_markers("peer"):
        require_programs(*(mark.args or ("echoscu",)))


def require_programs(*names: str) -> None:
    for name in names:
        if not find_program(name):
            do_without(f"{name} is not installed; python -m tests.prepare says how to get it")


def asks_engines(item: pytest.Item) -> bool:
    """Does a test use what `make test` runs it with: in this process, or in those it starts?

    What is marked `browser` is about what our scripts do with answers that other tests read
    on every engine, unless it is marked `engines` as well; what is marked `alike` uses the
    database in passing.
    """
    if item.get_closest_marker("engines"):
        return True
    fixtures: set[str] = set(getattr(item, "fixturenames", []))
    uses = item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"}
    elsewhere = item.get_closest_marker("browser") or item.get_closest_marker("alike")
    return bool(uses or fixtures & {"live_server"}) and not elsewhere
