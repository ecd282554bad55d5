"""Background work of exports: what waits is made, what is old is deleted."""

from celery import shared_task

from apps.audit.services import SYSTEM
from apps.exports.services import expire_exports
from apps.exports.services.making import forget_strays, make_due


@shared_task
def make_waiting() -> None:
    """Make what waits: new exports, released ones, those whose worker died."""
    make_due()


@shared_task
def delete_old() -> None:
    """Delete the files of exports whose time is over, and what dead workers left."""
    expire_exports(origin=SYSTEM)
    forget_strays()
