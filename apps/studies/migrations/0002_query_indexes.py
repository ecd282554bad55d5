"""Indexes for the keys of queries; no column changes."""

import logging

from django.db import DatabaseError, migrations, models, transaction

log = logging.getLogger(__name__)


def index_inside_names(apps, schema_editor):
    """PostgreSQL finds `*INFIX*` through trigrams, where its pg_trgm may be installed."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(
                "CREATE INDEX study_inside_patient_name ON studies_study"
                " USING gin (patient_search_name gin_trgm_ops)"
            )
    except DatabaseError as error:
        log.warning("Names are searched without trigrams, more slowly: %s", error)


def drop_index_inside_names(apps, schema_editor):
    schema_editor.execute("DROP INDEX IF EXISTS study_inside_patient_name")


class Migration(migrations.Migration):

    dependencies = [
        ("studies", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="study", name="study_by_patient_id"),
        migrations.RemoveIndex(model_name="study", name="study_by_accession"),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(
                fields=["patient_identifier"],
                name="study_by_patient_number",
                opclasses=["text_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(
                fields=["accession_number"],
                name="study_by_accession_number",
                opclasses=["text_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(fields=["patient_birth_date"], name="study_by_birth_date"),
        ),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(fields=["referring_physician"], name="study_by_referrer"),
        ),
        migrations.RunPython(index_inside_names, drop_index_inside_names),
    ]
