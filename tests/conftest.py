"""What every test may ask for."""

import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket
from pytest_django.plugin import blocking_manager_key

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.dimse.pausing import pause_surely
from apps.studies.services import rendering
from tests.factories import make_user, signed_in
from tests.prepare import find_program

hypothesis.settings.register_profile("any machine", deadline=None)  # speed is no test
hypothesis.settings.load_profile("any machine")

SAMPLES = Path(
    os.environ.get("OPENPACS_SAMPLES", Path(__file__).parents[1] / ".." / "shared" / "data")
).resolve()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Remember the rows that the migrations wrote; let tests empty all tables.

    SQLite empties tables with DELETE, which the triggers on undeletable rows refuse.
    """
    with django_db_blocker.unblock():
        contents = connection.creation.serialize_db_to_string()
        connection._test_serialized_contents = contents  # type: ignore[attr-defined]
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                    " AND sql LIKE '%BEFORE DELETE%'"
                )
                for (name,) in cursor.fetchall():
                    cursor.execute(f'DROP TRIGGER "{name}"')


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Bring the migrations' rows back after a test that commits and so ends by emptying all.

    Django leaves them away, and the tests that happen to come next would miss them.
    """
    yield
    if nextitem and commits(item):  # after the last test the database is gone
        with item.config.stash[blocking_manager_key].unblock():
            # The sequences go on: the rows that come back keep the keys they had.
            call_command(
                "flush",
                interactive=False,
                inhibit_post_migrate=True,
                reset_sequences=False,
                verbosity=0,
            )
            contents = connection._test_serialized_contents  # type: ignore[attr-defined]
            connection.creation.deserialize_db_from_string(contents)


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


def commits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    if marker and marker.kwargs.get("transaction"):
        return True
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return bool({"transactional_db", "live_server"}.intersection(fixtures))
