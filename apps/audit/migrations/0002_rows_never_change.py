"""Journal rows are never changed nor deleted: the database itself refuses.

Three things are written after the row: the outbox stamp and the seal, each once. Both
engines get the same rules; on SQLite a later migration that rebuilds the table drops its
triggers, so it must create them again (tests/audit/test_immutable.py watches).
"""

from django.db import migrations

TABLE = "audit_event"
WRITTEN_ONCE = ("delivered_at", "position", "digest")
FIXED = (
    "id",
    "kind",
    "at",
    "user_id",
    "protocol",
    "peer",
    "address",
    "subject_type",
    "subject_id",
    "patient_id",
    "accession_number",
    "study_instance_uid",
    "details",
)
REFUSAL = "journal rows are never changed or deleted"
POSTGRESQL = [
    f"""
    CREATE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    f"""
    CREATE TRIGGER {TABLE}_never_deleted BEFORE DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()
    """,
    f"""
    CREATE TRIGGER {TABLE}_never_changed BEFORE UPDATE OF {", ".join(FIXED)} ON {TABLE}
    FOR EACH ROW WHEN ({" OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in FIXED)})
    EXECUTE FUNCTION {TABLE}_refuse()
    """,
    f"""
    CREATE TRIGGER {TABLE}_sealed_once BEFORE UPDATE ON {TABLE} FOR EACH ROW WHEN (
        (OLD.delivered_at IS NOT NULL AND OLD.delivered_at IS DISTINCT FROM NEW.delivered_at)
        OR (OLD.position IS NOT NULL AND (OLD.position IS DISTINCT FROM NEW.position
            OR OLD.digest IS DISTINCT FROM NEW.digest)))
    EXECUTE FUNCTION {TABLE}_refuse()
    """,
]
SQLITE = [
    f"""
    CREATE TRIGGER {TABLE}_never_deleted BEFORE DELETE ON {TABLE}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
    f"""
    CREATE TRIGGER {TABLE}_never_changed BEFORE UPDATE OF {", ".join(FIXED)} ON {TABLE}
    WHEN {" OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in FIXED)}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
    f"""
    CREATE TRIGGER {TABLE}_sealed_once BEFORE UPDATE OF {", ".join(WRITTEN_ONCE)} ON {TABLE}
    WHEN (OLD.delivered_at IS NOT NULL AND OLD.delivered_at IS NOT NEW.delivered_at)
        OR (OLD.position IS NOT NULL
            AND (OLD.position IS NOT NEW.position OR OLD.digest IS NOT NEW.digest))
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """,
]
NAMES = [f"{TABLE}_never_deleted", f"{TABLE}_never_changed", f"{TABLE}_sealed_once"]


def lock(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in POSTGRESQL if postgresql else SQLITE:
        schema_editor.execute(statement, params=None)


def unlock(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for name in NAMES:
        schema_editor.execute(f"DROP TRIGGER {name}" + (f" ON {TABLE}" if postgresql else ""))
    if postgresql:
        schema_editor.execute(f"DROP FUNCTION {TABLE}_refuse()")


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(lock, unlock)]
