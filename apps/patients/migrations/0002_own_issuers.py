"""The two series of numbers a site gives out itself: patient and accession numbers."""

from django.db import migrations

NAMESPACE = "OPENPACS"


def create_own_issuers(apps, schema_editor):
    Issuer = apps.get_model("patients", "Issuer")
    for purpose, prefix in (("patient", "P"), ("accession", "A")):
        Issuer.objects.get_or_create(
            purpose=purpose,
            namespace=NAMESPACE,
            defaults={"mints": True, "prefix": prefix, "width": 7},
        )


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_initial")]
    operations = [migrations.RunPython(create_own_issuers, migrations.RunPython.noop)]
