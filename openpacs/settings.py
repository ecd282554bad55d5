"""Every setting of the department, each from the environment with a working default.

Embedded (nothing set): SQLite, files below OPENPACS_HOME, a Celery broker that is a
folder. At scale DATABASE_URL, REDIS_URL and DICOM_STORAGE move each part off it.
"""

import os
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from apps.viewer.headers import add_viewer_headers
from openpacs import __version__, wiring
from openpacs.secret_key import load_secret_key

django_stubs_ext.monkeypatch()

env: Any = environ.Env()  # type: ignore[no-untyped-call]  # untyped there
BASE_DIR = Path(__file__).resolve().parent.parent
BUILD_DIR = BASE_DIR / "build"  # made by `make install`: viewer, kit, collected static

# --- Where the department lives -----------------------------------------------------
OPENPACS_HOME = Path(env("OPENPACS_HOME", default=str(BASE_DIR / "var"))).resolve()
OPENPACS_BIND = env("OPENPACS_BIND", default="127.0.0.1")
CALLED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - everywhere: called here
OPENPACS_HTTP_PORT = env.int("OPENPACS_HTTP_PORT", default=8000)
OPENPACS_DICOM_PORT = env.int("OPENPACS_DICOM_PORT", default=11112)
OPENPACS_DICOM_TLS_PORT = env.int("OPENPACS_DICOM_TLS_PORT", default=0)  # 0: closed, as above
OPENPACS_DICOM_TLS_CERTIFICATE = env("OPENPACS_DICOM_TLS_CERTIFICATE", default="")
OPENPACS_DICOM_TLS_KEY = env("OPENPACS_DICOM_TLS_KEY", default="")
OPENPACS_DICOM_TLS_CA = env("OPENPACS_DICOM_TLS_CA", default="")
OPENPACS_DICOM_TLS_CLIENTS = env("OPENPACS_DICOM_TLS_CLIENTS", default="none")
OPENPACS_DICOM_PROCESSES = env.int("OPENPACS_DICOM_PROCESSES", default=min(os.cpu_count() or 1, 4))
OPENPACS_DISK_LOW = env.int("OPENPACS_DISK_LOW", default=2 << 30)  # bytes free
OPENPACS_DISK_HARD = env.int("OPENPACS_DISK_HARD", default=512 << 20)
OPENPACS_HL7_PORT = env.int("OPENPACS_HL7_PORT", default=2575)
OPENPACS_EVENTS_PORT = env.int("OPENPACS_EVENTS_PORT", default=8001)  # WebSockets; 0: closed
# How long somebody who is not connected may still be told what happened to workitems.
OPENPACS_EVENTS_HOURS = env.int("OPENPACS_EVENTS_HOURS", default=24)
# Where our own programs call the listener (the simulator, the demo).
OPENPACS_DICOM_HOST = env("OPENPACS_DICOM_HOST", default="") or CALLED.get(
    OPENPACS_BIND, OPENPACS_BIND
)
OPENPACS_AE_TITLE = env("OPENPACS_AE_TITLE", default="OPENPACS")
OPENPACS_VERSION = __version__
OPENPACS_SITE_NAME = env("OPENPACS_SITE_NAME", default="openpacs")
OPENPACS_WEB_WORKERS = env.int("OPENPACS_WEB_WORKERS", default=min(os.cpu_count() or 1, 4))
OPENPACS_WEB_THREADS = env.int("OPENPACS_WEB_THREADS", default=4)
OPENPACS_WORKER_THREADS = env.int("OPENPACS_WORKER_THREADS", default=4)
OPENPACS_API_REQUESTS = env.int("OPENPACS_API_REQUESTS", default=1200)  # a minute; 0: any
# Archive queries over DICOM: most answers, and seconds the database may take, of one.
OPENPACS_QUERY_ROWS = env.int("OPENPACS_QUERY_ROWS", default=5000)
OPENPACS_QUERY_SECONDS = env.float("OPENPACS_QUERY_SECONDS", default=30)
# How long a device may still ask for an exam that it has started already.
WORKLIST_STARTED_MINUTES = env.int("OPENPACS_WORKLIST_STARTED_MINUTES", default=10)
WORKLIST_ANSWERS = env.int("OPENPACS_WORKLIST_ANSWERS", default=1000)  # of one query
WORKLIST_QUERIES_DAYS = env.int("OPENPACS_WORKLIST_QUERIES_DAYS", default=14)  # kept to explain
SPOOL_DIR = Path(env("OPENPACS_SPOOL", default=str(OPENPACS_HOME / "spool")))
EXPORTS_DIR = OPENPACS_HOME / "exports"
JOURNAL_DIR = OPENPACS_HOME / "journal"  # lines that become rows within seconds
OPENPACS_EXPORT_DAYS = env.int("OPENPACS_EXPORT_DAYS", default=7)  # how long exports are kept
OPENPACS_CACHE = OPENPACS_HOME / "cache"  # thumbnails; may be emptied at any time
OPENPACS_CACHE_BYTES = env.int("OPENPACS_CACHE_BYTES", default=4 << 30)
OPENPACS_STUDY_QUIET_SECONDS = env.int("OPENPACS_STUDY_QUIET_SECONDS", default=10)
# What an order corrects in its images, of all that apps/studies/services/coercing.py names.
_COERCED = "PatientID IssuerOfPatientID PatientName PatientBirthDate PatientSex"
_COERCED += " AccessionNumber ReferringPhysicianName"
OPENPACS_COERCE_FROM_ORDER = env("OPENPACS_COERCE_FROM_ORDER", default=_COERCED).split()
OPENPACS_HOME.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = env("SECRET_KEY", default="") or load_secret_key(OPENPACS_HOME)
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- Rooms, from the lowest to the highest (the arrows are in pyproject.toml) -------
INSTALLED_APPS = [
    "apps.accounts",
    "apps.audit",
    "apps.patients",
    "apps.orders",
    "apps.scheduling",
    "apps.worklist",
    "apps.workitems",
    "apps.studies",
    "apps.reports",
    "apps.viewer",
    "apps.quality",
    "apps.exports",
    "apps.dimse",
    "apps.dicomweb",
    "apps.hl7",
    "apps.routing",
    "apps.api",
    "apps.site",
    "openpacs.apps.OpenpacsAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "axes",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "openpacs.headers.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.accounts.middleware.SessionUserMiddleware",
    "apps.audit.middleware.TokenMiddleware",
    "apps.accounts.middleware.SessionLimitMiddleware",
    "apps.accounts.middleware.SignInMiddleware",
    "apps.accounts.middleware.OwnPasswordMiddleware",
    "openpacs.bodies.UnannouncedBodyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "openpacs.urls"
WSGI_APPLICATION = "openpacs.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.accounts.navigation.navigation",
                "apps.studies.room.room_banner",
            ],
        },
    },
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # templates/django/forms/

# --- Engines ------------------------------------------------------------------------
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(
        env("DATABASE_URL", default="") or f"sqlite:///{OPENPACS_HOME}/openpacs.db"
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that will write takes its lock at once, so that two
    # writers wait for one another instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": SQLITE_PRAGMAS,
    }
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="")
BROKER_DIR = OPENPACS_HOME / "broker"
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": OPENPACS_HOME / "files"},
    },
    # DICOM_STORAGE=s3://bucket/prefix?endpoint_url=...&region_name=...
    "dicom": {
        "BACKEND": "apps.studies.storage.dicom_storage",
        "OPTIONS": {"location": env("DICOM_STORAGE", default=str(OPENPACS_HOME / "dicom"))},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Celery -------------------------------------------------------------------------
# A message is only a nudge: rows and spool files are the queues, and the sweeps below find
# what a lost nudge left. So a broker that is away is given up on at once.
CELERY_BROKER_URL = REDIS_URL or "folder://"
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY = False
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"socket_connect_timeout": 2}
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "folder": str(BROKER_DIR),
        "polling_interval": 0.02,
    }
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # LOGGING below is for every process
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = wiring.CELERY_TASK_ROUTES
CELERY_BEAT_SCHEDULE = wiring.CELERY_BEAT_SCHEDULE
AUDIT_SUBSCRIBERS = wiring.AUDIT_SUBSCRIBERS

# --- Who may enter ------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.audit.passwords.PasswordJournal"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "accounts:login"
SESSION_IDLE_SECONDS = env.int("OPENPACS_SESSION_IDLE", default=15 * 60)
SESSION_ABSOLUTE_SECONDS = env.int("OPENPACS_SESSION_ABSOLUTE", default=12 * 3600)
SESSION_ENGINE = "apps.accounts.sessions"
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_SECONDS
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False  # accounts are unlocked from the list of users
AXES_LOCKOUT_TEMPLATE = "registration/locked_out.html"

# --- What the browser is told ---------------------------------------------------------
TLS = env.bool("OPENPACS_TLS", default=False)  # a TLS front stands before the web server
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SECURE_HSTS_SECONDS = 31536000 if TLS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TLS else None
# Addresses (or networks) of fronts whose X-Forwarded-For is believed.
OPENPACS_TRUSTED_PROXIES = env.list("OPENPACS_TRUSTED_PROXIES", default=[])
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "openpacs.refusals.csrf_failure"
X_FRAME_OPTIONS = "SAMEORIGIN"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}

# Of `manage.py check --deploy`. HSTS for subdomains and preloading (W005, W021) is for the
# owner of the domain to decide; the TLS front sends plain HTTP on (W008); pages of ours show
# the viewer in a frame, others may not (W019, and frame-ancestors above).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W019", "security.W021"]

# --- Language, time, static files ---------------------------------------------------
LANGUAGE_CODE = env("OPENPACS_LANGUAGE", default="en")
LANGUAGES = [("en", _("English"))]
FORMAT_MODULE_PATH = ["openpacs.formats"]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env("OPENPACS_TIME_ZONE", default="UTC")
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BUILD_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("kit", BUILD_DIR / "kit"),
    ("viewer", BUILD_DIR / "extension"),
]
VIEWER_EXTENSION = "viewer/extension.js"  # all of static/js/viewer in one file
WHITENOISE_ROOT = BUILD_DIR / "public"  # holds viewer/ and volview/: served there
# Names that carry a hash of the content: ours (12 digits), OHIF's (16) and VolView's (8).
WHITENOISE_IMMUTABLE_FILE_TEST = (
    r"^/static/.+\.[0-9a-f]{12}\.[^./]+$|^/viewer/([^/]+\.)?[0-9a-f]{16}\.\w+$"
    r"|^/volview/assets/[^/]+-[0-9a-f]{8}\.\w+$"
)
WHITENOISE_ADD_HEADERS_FUNCTION = add_viewer_headers

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "openpacs",
    "DESCRIPTION": "The department for scripts. DICOMweb stands beside it, under /dicom-web/.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": [],
    "AUTHENTICATION_WHITELIST": [],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.schema.finish",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AppointmentStatus": "apps.scheduling.models.Appointment.Status",
        "ColourName": "apps.studies.models.Label.Colour",
        "EventKind": "apps.audit.models.Kind",
        "OrderStatus": "apps.orders.models.Order.Status",
        "PatientStatus": "apps.patients.models.Patient.Status",
        "ReportStatus": "apps.reports.models.Report.Status",
        "StepStatus": "apps.worklist.models.ScheduledStep.Status",
        "StudyStatus": "apps.studies.models.Study.Status",
        "VersionStatus": "apps.reports.models.ReportVersion.Status",
    },
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
            "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}},
    "filters": {"without_traceback": {"()": "openpacs.logs.WithoutTraceback"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["without_traceback"],
        }
    },
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "pydicom": {"level": "ERROR"},  # its warnings quote values
        "pynetdicom": {"level": "WARNING"},  # it writes patient names at INFO
        "django.request": {"level": "ERROR"},
        "axes": {"level": "ERROR"},  # sign-ins are in the journal
        "celery.beat": {"level": "WARNING"},  # the sweeps run every few seconds
        "celery.worker.consumer.connection": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},  # a folder as broker has no host name
    },
}
