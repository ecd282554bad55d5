from django.apps import AppConfig


class DICOMwebConfig(AppConfig):
    name = "apps.dicomweb"
