"""`/health/`: can the web server reach its database, and is there room for images?"""

from django.db import connection
from django.http import HttpRequest, HttpResponse

from apps.studies.room import Room, disk_room

SAYS = {
    Room.ENOUGH: "ok",
    Room.LOW: "ok, but the disk is nearly full: no new images are taken",
    Room.HARD: "ok, but the disk is full: no new images are taken",
}


def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 when a query goes through; an unreachable database is a 500.

    A full disk is said, and is no 500: the pages go on, and another server would not help.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    said = SAYS[disk_room()]
    return HttpResponse(said, content_type="text/plain", headers={"Cache-Control": "no-store"})
