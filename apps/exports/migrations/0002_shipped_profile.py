"""The Basic Profile without options is there from the start."""

import secrets

from django.db import migrations

NAME = "Basic Profile"


def ship(apps, schema_editor):
    profiles = apps.get_model("exports", "Profile").objects
    profiles.get_or_create(name=NAME, defaults={"options": [], "secret": secrets.token_hex(32)})


class Migration(migrations.Migration):
    dependencies = [("exports", "0001_initial")]

    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
