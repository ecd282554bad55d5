"""Rows written straight into a department's database: `python -m benchmarks.filling WHAT ...`.

Run with that department's environment: OPENPACS_HOME, DATABASE_URL.

    devices JSON                       let devices in, each with all rights
    studies COUNT INSTANCES TEMPLATE   made-up studies, each instance like the file TEMPLATE
    session                            sign a radiologist in; prints the cookie
    metadata keep|forget               the metadata of all series, made or thrown away
    settled SECONDS                    wait, at most so long, until no study is receiving
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import zstandard
from django.core.management.color import no_style
from django.db import connection, models, transaction

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "openpacs.settings")
django.setup()

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from apps.accounts.models import Role, User
from apps.dicom.names import search_form
from apps.dicomweb.metadata import keep_metadata
from apps.dicomweb.models import SeriesMetadata
from apps.studies.models import Instance, Series, Study
from apps.studies.services.incoming import Incoming, read_incoming
from apps.worklist.models import Device
from benchmarks.made_up import MadeUp, studies

SERIES_LENGTH = 50
BATCH = 500
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def add_devices(text: str) -> None:
    for values in json.loads(text):
        device = Device(
            name=values["ae_title"],
            host="127.0.0.1",
            may_query=True,
            may_retrieve=True,
            may_receive=True,
            **values,
        )
        device.full_clean()
        device.save()


def add_studies(count: str, instances: str, template: str) -> None:
    """Rows as ingest would have written them, and the planner's statistics of them."""
    filling = Filling(read_incoming(Path(template)), int(instances))
    with transaction.atomic():
        write(Study, map(filling.study, studies(int(count))))
        write(Series, (row for one in studies(int(count)) for row in filling.series(one)))
        write(Instance, (row for one in studies(int(count)) for row in filling.instances(one)))
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(
                no_style(), [Study, Series, Instance]
            ):
                cursor.execute(statement)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # What the server would begin by itself in the middle of the first cell.
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("ANALYZE")


def add_session() -> None:
    user, _ = User.objects.get_or_create(username="bench")
    user.groups.set(Group.objects.filter(name=Role.RADIOLOGIST))
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session.save()
    sys.stdout.write(f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}")


def metadata(what: str) -> None:
    SeriesMetadata.objects.all().delete()
    if what == "keep":
        for row in Series.objects.select_related("study"):
            keep_metadata(row, "/dicom-web")


def settled(seconds: str) -> None:
    deadline = time.monotonic() + float(seconds)
    while Study.everything.filter(status=Study.Status.RECEIVING).exists():
        if time.monotonic() > deadline:
            sys.exit("studies are still receiving")
        time.sleep(0.5)


class Filling:
    """Rows of made-up studies; `template` gives what does not differ between instances."""

    def __init__(self, template: Incoming, instances: int) -> None:
        self.template, self.per_study = template, instances
        self.per_series = -(-instances // SERIES_LENGTH)
        self._uid = template.sop_instance_uid.encode()
        self._header = zstandard.decompress(template.instance["header"])
        self._compressor = zstandard.ZstdCompressor(level=1)

    def study(self, one: MadeUp) -> Study:
        return Study(
            pk=one.number + 1,
            study_instance_uid=one.study_uid,
            status=Study.Status.AVAILABLE,
            patient_name=one.patient_name,
            patient_search_name=search_form(one.patient_name),
            patient_identifier=one.patient_id,
            patient_birth_date=one.birth_date,
            patient_sex=one.sex,
            study_date=one.day,
            study_time=one.time,
            accession_number=one.accession_number,
            study_id=str(one.number),
            description=one.description,
            referring_physician="Refer^Dr",
            modalities="\\CT\\",
            series_count=self.per_series,
            instance_count=self.per_study,
            size=self.per_study * self.template.size,
            revision=1,
            last_instance_at=WHEN,
        )

    def series(self, one: MadeUp) -> Iterator[Series]:
        for number in range(1, self.per_series + 1):
            yield Series(
                pk=self._series_key(one, number),
                series_instance_uid=f"{one.study_uid}.{number}",
                study_id=one.number + 1,
                modality="CT",
                number=number,
                description=f"AX {number}",
                instance_count=min(SERIES_LENGTH, self.per_study),
                revision=1,
            )

    def instances(self, one: MadeUp) -> Iterator[Instance]:
        for index in range(self.per_study):
            series = 1 + index // SERIES_LENGTH
            uid = f"{one.study_uid}.{series}.{1000 + index}"
            digest = hashlib.sha256(uid.encode()).hexdigest()
            key = one.number * self.per_study + index + 1
            values: dict[str, Any] = {
                **self.template.instance,
                "number": index + 1,
                "header": self._compressor.compress(self._header_of(uid)),
            }
            yield Instance(
                pk=key,
                sop_instance_uid=uid,
                series_id=self._series_key(one, series),
                file_name=f"studies/2026/01/01/{digest[:16]}/{key:020d}-{digest[16:32]}.dcm",
                size=self.template.size,
                sha256=digest,
                **values,
            )

    def _series_key(self, one: MadeUp, number: int) -> int:
        return one.number * self.per_series + number

    def _header_of(self, uid: str) -> bytes:
        return self._header.replace(self._uid, uid.encode().ljust(len(self._uid), b"\0"))


def write(model: type[models.Model], rows: Iterable[models.Model]) -> None:
    """COPY where the database has it."""
    if connection.vendor == "postgresql":
        _copy(model, rows)
    else:
        model._default_manager.bulk_create(rows, batch_size=BATCH)


def _copy(model: type[models.Model], rows: Iterable[models.Model]) -> None:
    fields = model._meta.concrete_fields
    names = ", ".join(connection.ops.quote_name(field.column or "") for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
            )


WHAT: dict[str, Callable[..., None]] = {
    "devices": add_devices,
    "studies": add_studies,
    "session": add_session,
    "metadata": metadata,
    "settled": settled,
}


def main() -> None:
    what, *words = sys.argv[1:]
    WHAT[what](*words)


if __name__ == "__main__":
    main()
