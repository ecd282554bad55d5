from django.apps import AppConfig
from django.core import checks


class StudiesConfig(AppConfig):
    name = "apps.studies"

    def ready(self) -> None:
        from apps.studies.checks import check_coerced  # noqa: PLC0415 - models must be loaded

        checks.register(check_coerced)
