"""Several at once, as in service."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
A = TypeVar("A")


def at_once(work: Callable[[A], T], given: Iterable[A]) -> list[T]:
    """Do the work for all that is given in threads that begin together; what each came to.

    Raises what one of them raised.
    """
    these = list(given)
    begin = threading.Barrier(len(these))

    def one(each: A) -> T:
        begin.wait()
        try:
            return work(each)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(these)) as pool:
        return list(pool.map(one, these))
