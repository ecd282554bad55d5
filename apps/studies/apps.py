from django.apps import AppConfig
from django.core import checks


class StudiesConfig(AppConfig):
    name = "apps.studies"

    def ready(self) -> None:
        from apps.studies.checks import check_coerced

        checks.register(check_coerced)
