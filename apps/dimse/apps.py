import logging
import warnings

from django.apps import AppConfig
from pydicom import config


class DimseConfig(AppConfig):
    name = "apps.dimse"

    def ready(self) -> None:
        # Values that do not fit their VR are checked where they matter; pydicom's warnings
        # about them would write what peers send, names included, into the log.
        config.settings.reading_validation_mode = config.IGNORE
        # Its other warnings come with every reading of an odd file. Importing it has set the
        # level of its logger anew, over that of the settings; and it warns twice.
        logging.getLogger("pydicom").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=r"pydicom\.")
