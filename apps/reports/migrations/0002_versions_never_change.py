"""A signed version never changes: the database itself refuses UPDATE and DELETE."""

from typing import Any

from django.db import migrations

TABLE = "reports_reportversion"
REFUSAL = "a signed report version never changes"
POSTGRESQL = [
    f"""
    CREATE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    f"""
    CREATE TRIGGER {TABLE}_written_once BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION {TABLE}_refuse()
    """,
]
POSTGRESQL_UNDO = [
    f"DROP TRIGGER {TABLE}_written_once ON {TABLE}",
    f"DROP FUNCTION {TABLE}_refuse()",
]
SQLITE = [
    f"""
    CREATE TRIGGER {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE}
    BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END
    """
    for verb in ("UPDATE", "DELETE")
]
SQLITE_UNDO = [f"DROP TRIGGER {TABLE}_no_{verb.lower()}" for verb in ("UPDATE", "DELETE")]


def lock(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, POSTGRESQL, SQLITE)


def unlock(apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, POSTGRESQL_UNDO, SQLITE_UNDO)


def _run(schema_editor: Any, postgresql: list[str], sqlite: list[str]) -> None:
    chosen = postgresql if schema_editor.connection.vendor == "postgresql" else sqlite
    for statement in chosen:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("reports", "0001_initial")]

    operations = [migrations.RunPython(lock, unlock)]
