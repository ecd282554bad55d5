"""Sessions in the database; who is signed in, and with which roles, is read along with them.

A viewer asks for hundreds of images: of what a request needs to know of its user, one
statement reads everything anew. Nothing of it is kept between requests, so that a logout, a
role taken away or a new password holds for the very next one.
"""

import functools
from typing import Any

import orjson
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.models import User
from apps.accounts.straight import Ask, Rows, ask

SIGNED_IN_BY = "django.contrib.auth.backends.ModelBackend"
KNOWN = 10_000  # sessions whose user's number is remembered
# Columns of accounts_user; the others are read when somebody asks for them.
_LOADED = (
    *("id", "password", "is_superuser", "username", "first_name", "last_name", "email"),
    *("is_staff", "is_active", "title", "must_change_password"),
)
# In the order of the model, which is that of `Model.from_db`.
_FIELDS = [field for field in User._meta.concrete_fields if field.attname in _LOADED]
_PLACES = [2 + _LOADED.index(field.attname) for field in _FIELDS]
_WITH_USER = """
SELECT session.session_data, role.name,
       person.id, person.password, person.is_superuser, person.username, person.first_name,
       person.last_name, person.email, person.is_staff, person.is_active, person.title,
       person.must_change_password
  FROM django_session session
  JOIN accounts_user person ON person.id = %s
  LEFT JOIN accounts_user_groups held ON held.user_id = person.id
  LEFT JOIN auth_group role ON role.id = held.group_id
 WHERE session.session_key = %s AND session.expire_date > %s
"""

# Whose session it is does not change: signing in makes a new key.
_owners: dict[str, int] = {}


class SessionStore(db.SessionStore):
    """Django's, which after its first request finds its user (`person`) in the same statement."""

    person: User | None = None

    def load(self) -> dict[str, Any]:
        """The session's values, empty where there is none."""
        rows = session_rows(self.session_key)
        return self._taken_from(rows) if rows else self._load_first()

    def take(self, rows: Rows) -> None:
        """Load from rows that `session_rows` gave for this key."""
        self._session_cache = self._taken_from(rows)

    def _taken_from(self, rows: Rows) -> dict[str, Any]:
        data: dict[str, Any] = orjson.loads(_decoded(rows[0][0]))
        if data.get(SESSION_KEY) == str(_owners.get(self.session_key or "")):
            self.person = _user(rows)
        return data

    def _load_first(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        owner = str(data.get(SESSION_KEY, ""))
        if self.session_key and owner.isdecimal():
            if len(_owners) >= KNOWN:
                _owners.clear()
            _owners[self.session_key] = int(owner)
        return data


def person_of(session: SessionBase) -> User | None:
    """Who is signed in; None also where anything is unusual, and Django has to find out what."""
    proof = session.get(HASH_SESSION_KEY, "")
    person: User | None = getattr(session, "person", None)
    if (
        person is not None
        and person.is_active
        and session.get(BACKEND_SESSION_KEY) == SIGNED_IN_BY
        and constant_time_compare(proof, person.get_session_auth_hash())
    ):
        return person
    return None


def session_rows(key: str | None, ask: Ask = ask) -> Rows:
    """A session and its user: a row for each role held, one where none is.

    Empty where the session has ended, or its user's number is not known yet.
    """
    owner = _owners.get(key or "")
    if owner is None:
        return []
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    return ask(_WITH_USER, [owner, key, now])


def _user(rows: Rows) -> User:
    found = zip(_FIELDS, _PLACES, strict=True)
    values = [field.to_python(rows[0][place]) for field, place in found]
    user = User.from_db(connection.alias, _LOADED, values)
    user.remember_roles(row[1] for row in rows)
    return user


@functools.lru_cache(maxsize=1000)
def _decoded(signed: str) -> bytes:
    """What a signed session holds, as JSON: a pure function, dear for its signature."""
    return orjson.dumps(db.SessionStore().decode(signed))
