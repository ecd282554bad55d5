"""Database connections that outlive their association: to open one costs more than a query."""

from collections import deque

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

MOST = 8  # that wait for the next association

_idle: deque[BaseDatabaseWrapper] = deque()


def take_connection() -> None:
    """Give this thread a connection that another one has left, if there is one."""
    try:
        kept = _idle.pop()
    except IndexError:
        return  # it opens its own
    kept.close_if_unusable_or_obsolete()  # and its first query asks whether it still works
    connections[DEFAULT_DB_ALIAS] = kept


def leave_connection() -> None:
    """This thread ends: keep its connection for the next one, unless it is old or broken."""
    mine = connections[DEFAULT_DB_ALIAS]
    mine.close_if_unusable_or_obsolete()
    if mine.connection is None or mine.in_atomic_block or len(_idle) >= MOST:
        connections.close_all()
        return
    if not mine.allow_thread_sharing:
        mine.inc_thread_sharing()  # one thread after the other, never two at once
    del connections[DEFAULT_DB_ALIAS]
    connections.close_all()
    _idle.append(mine)


def close_idle_connections() -> None:
    """The listener stops: nobody will ask any more."""
    while _idle:
        _idle.pop().close()
