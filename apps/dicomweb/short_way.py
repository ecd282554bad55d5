"""The short way to a stored frame, past most of what Django does around a request.

A viewer asks for thousands of frames, one like the other. Django answers the first of a client
and a study, and one a minute after that: it looks at the host, the transport, the cookies, and
writes the journal. In between, requests with the very same headers are answered here. Who is
signed in and what they may see is read anew for each, by the functions that Django's way calls
too, and headers that do not depend on the frame are those of Django's last answer. Whatever is
not plain takes Django's way.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError
from django.http import parse_cookie

from apps.accounts.middleware import SEEN_EVERY, session_has_ended
from apps.accounts.policy import Action, Noun, can, sees_all
from apps.accounts.sessions import SessionStore, person_of, session_rows
from apps.accounts.straight import ask_straight
from apps.dicomweb.caching import etag_of
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.multipart import AT_ONCE, bare, multipart
from apps.dicomweb.negotiation import frames_choice, ranges_of
from apps.dicomweb.pixels import as_stored, frame_parts
from apps.dicomweb.prepared import one_frame
from apps.studies.models import Instance

SECONDS = 60.0  # for which Django's answer holds as a pattern
KNOWN = 2000  # patterns, sessions
_FRAME = re.compile(
    r"/dicom-web/studies/([0-9.]{1,64})/series/([0-9.]{1,64})/instances/([0-9.]{1,64})"
    r"/frames/([1-9][0-9]{0,8})"
)
_UNUSUAL = (
    *("HTTP_AUTHORIZATION", "HTTP_RANGE", "HTTP_IF_RANGE"),
    *("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"),
)
_OF_THE_FRAME = ("Content-Type", "Content-Length", "ETag")

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]
Headers = list[tuple[str, str]]
Asker = tuple[Any, ...]


class Asked(NamedTuple):
    """A frame as an address names it, and what the headers say with it."""

    study: str
    series: str
    instance: str
    frame: str
    accept: str
    cookies: str


class ShortWay:
    """A WSGI application before Django's, which it asks for all that it does not answer."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._patterns: dict[Asker, tuple[float, Headers]] = {}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        asked = _asked(environ)
        if asked is None:
            return self._application(environ, start_response)
        asker = _asker(environ, asked)
        since, pattern = self._patterns.get(asker, (0.0, []))
        if time.monotonic() - since < SECONDS and (found := _found(asked)) is not None:
            headers, body = found
            start_response("200 OK", [*pattern, *headers])
            return body
        return self._application(environ, self._learning(asker, start_response))

    def _learning(self, asker: Asker, start_response: Any) -> Any:
        def started(status: str, headers: Headers, *more: Any) -> Any:
            if status == "200 OK" and all(name != "Set-Cookie" for name, _ in headers):
                if len(self._patterns) >= KNOWN:
                    self._patterns.clear()
                pattern = [one for one in headers if one[0] not in _OF_THE_FRAME]
                self._patterns[asker] = time.monotonic(), pattern
            return start_response(status, headers, *more)

        return started


def _asked(environ: Environ) -> Asked | None:
    """None for what is no plain request for one frame."""
    if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
        return None
    found = _FRAME.fullmatch(environ["PATH_INFO"])
    if found is None or environ.get("SCRIPT_NAME") or any(one in environ for one in _UNUSUAL):
        return None
    said = (environ.get(name, "") for name in ("HTTP_ACCEPT", "HTTP_COOKIE"))
    return Asked(*found.groups(), *said)


def _asker(environ: Environ, asked: Asked) -> Asker:
    """All that Django's answer may depend on besides the frame."""
    said = tuple(item for item in environ.items() if item[0].startswith("HTTP_"))
    return (asked.study, environ.get("REMOTE_ADDR"), environ.get("wsgi.url_scheme"), said)


def _found(asked: Asked) -> tuple[Headers, list[bytes]] | None:
    """Headers and body of the answer; None where Django has to say what is wrong, or unusual.

    It also looks after connections that broke.
    """
    try:
        return _answer(asked) if _may_look(asked.cookies) else None
    except (DatabaseError, OSError, NotAcceptableError):
        return None


class _Judged(NamedTuple):
    rows: list[tuple[Any, ...]]
    session: SessionStore
    may: bool


# What was made of the rows of a session; rows that are the same say the same.
_judged: dict[str, _Judged] = {}


def _may_look(cookies: str) -> bool:
    """Is somebody signed in who may, and was seen lately, so that nothing is to be written?"""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    rows = session_rows(key, ask_straight)
    if key is None or not rows:
        return False
    judged = _judged.get(key)
    if judged is None or judged.rows != rows:
        judged = _judge(key, rows)
    lately = time.time() - judged.session.get("seen", 0) < SEEN_EVERY
    return judged.may and lately and not session_has_ended(judged.session)


def _judge(key: str, rows: list[tuple[Any, ...]]) -> _Judged:
    session = SessionStore(key)
    session.take(rows)
    person = person_of(session)
    may = (
        person is not None
        and not person.must_change_password
        and can(person, Action.VIEW, Noun.STUDY)
        and sees_all(person, Instance)
    )
    judged = _Judged(rows, session, may)
    if len(_judged) >= KNOWN:
        _judged.clear()
    _judged[key] = judged
    return judged


def _answer(asked: Asked) -> tuple[Headers, list[bytes]] | None:
    number = int(asked.frame)
    place_of = one_frame(asked.study, asked.series, asked.instance, number, ask_straight)
    row, place = place_of or (None, None)
    if row is None or place is None or row.rows is None or number > row.frames:
        return None
    choice = frames_choice(ranges_of(asked.accept), row.transfer_syntax_uid, single=True)
    if choice is None or not as_stored(row, choice.transfer_syntax):
        return None
    parts = frame_parts(row, [number], [place], choice.media_type, choice.transfer_syntax)
    made = multipart(choice.media_type, parts) if choice.multipart else bare(parts[0])
    if made.length is None or made.length > AT_ONCE:
        return None
    headers = [
        ("Content-Type", made.content_type),
        ("Content-Length", str(made.length)),
        ("ETag", etag_of(row.sha256, asked.frame, choice)),
    ]
    return headers, [made.whole()]
