"""Settings of the whole project, read from the environment.

The defaults are safe for production. ``ENVIRONMENT=development`` loosens them. ``.env.example``
explains each variable.
"""

import sys
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from shop import connections
from shop.core import env, identity
from shop.core.garbage import look_rarely
from shop.core.logs import configure_structlog, logging_config

look_rarely()

BASE_DIR = Path(__file__).resolve().parent.parent

ENVIRONMENT = env.choice("ENVIRONMENT", "production", ("development", "production"))
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = False
DATA_DIR = Path(env.text("DATA_DIR", BASE_DIR / "var")).absolute()

SECRET_KEY = env.secret(
    "DJANGO_SECRET_KEY",
    development="development-only-" + "x" * 50 if DEVELOPMENT else None,
    minimum_length=50,
)
SECRET_KEY_FALLBACKS = env.secrets("DJANGO_SECRET_KEY_FALLBACKS")
# What is kept sealed; see shop.core.sealing. The first key seals, all of them unseal.
DATA_KEYS = env.data_keys(
    "DATA_KEYS",
    development="k0:ZGV2ZWxvcG1lbnQtb25seS14eHh4eHh4eHh4eHh4eHg=" if DEVELOPMENT else None,
)

ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
# Every link in a mail begins with it. The Host of a request is never used for links.
SITE_URL = env.address("SITE_URL", f"http://localhost:{env.integer('PORT', 8000, maximum=65535)}")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

# Our own apps come first, because the template of an earlier app replaces that of a later one.
INSTALLED_APPS = [
    "shop",
    "audit",
    "accounts",
    "people",
    "events",
    "documents",
    "search",
    "personal",
    "preferences",
    "purchases",
    "billing",
    "quizzes",
    "reports",
    "logs",
    "operations",
    "insight",
    "webhooks",
    "stream",
    "till",
    "accounts.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "accounts.apps.AddressesConfig",
    "accounts.apps.FactorsConfig",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "channels",
    "csp",
    "django_filters",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "accounts.apps.TokensConfig",
    "rest_framework",
]
if DEVELOPMENT and sys.argv[1:2] == ["runserver"]:
    # Only `runserver` needs Daphne. Importing it elsewhere would cost every start the import of
    # Twisted.
    INSTALLED_APPS.insert(0, "daphne")

MIDDLEWARE = [
    "shop.core.middleware.RequestId",
    "shop.core.middleware.Metrics",
    "shop.core.middleware.Cookieless",
    "shop.core.middleware.PrivateAnswers",
    "shop.core.middleware.SecureWrites",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "shop.core.middleware.MalformedInput",
    "shop.core.request_log.RequestLog",
    "accounts.audit.middleware.Acting",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.sessions.middleware.SessionUser",
    "accounts.sessions.trace.SessionTrace",
    "accounts.reader.ReaderMiddleware",
    "shop.core.middleware.Slashes",
    "shop.core.middleware.ReadOnlySite",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "shop.core.middleware.OtherMethods",
]

ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
ASGI_APPLICATION = "shop.asgi.application"

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
                "shop.core.context.site",
            ],
            "libraries": {"face": "shop.core.templatetags.face"},
        },
    },
]

# What a restore of an older backup must not undo is kept here; see personal.journal.
JOURNAL_DIR = Path(env.text("JOURNAL_DIR", DATA_DIR / "journal"))

# Which version runs, as the operating figures name it; a deploy may give its tag or commit.
APPLICATION_VERSION = env.text("APPLICATION_VERSION", "1.0.0")

# --- Database -----------------------------------------------------------------------------


# The owner's role migrates. Everything else uses the application's role, which owns no table.
DATABASE_ROLE = env.choice(
    "DATABASE_ROLE", "application", ("application", "owner", "relay", "worker")
)


DATABASES = {"default": connections.database(DATABASE_ROLE, development=DEVELOPMENT)}
DATABASE_REPLICA_URL = env.secret(
    "DATABASE_REPLICA_URL", development="" if DEVELOPMENT else None, optional=True
)
if DATABASE_REPLICA_URL:
    # Lists, exports and reports are read from here; see shop.core.replica.
    DATABASES["replica"] = connections.replica(DATABASE_REPLICA_URL)
# The role that `prepare_database` makes for the application.
DATABASE_APPLICATION = connections.application_role(development=DEVELOPMENT)
# Roles with fewer rights, for sites that give their URLs.
DATABASE_FURTHER_ROLES = connections.further_roles(development=DEVELOPMENT)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Valkey: broker, channel layer, cache ----------------------------------------------------


REDIS_URL = connections.redis_url(development=DEVELOPMENT)

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 2}],
            "prefix": "shop",
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "shop.core.cache.Cache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "shop",
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    }
}


CELERY_BROKER_URL = connections.celery_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULER = "shop.beat.Schedule"
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A message of a worker that died is handed out again after about this long; the sweep of
    # `documents.tasks` covers what this does not.
    "visibility_timeout": 1200,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

# Proxies whose X-Forwarded-For and X-Forwarded-Proto count; see shop.core.addresses.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", instead_of="NUM_PROXIES")

# --- Accounts ------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "accounts.passwords.Argon2",
    "accounts.passwords.PBKDF2",
]
# 19 MiB is the least that OWASP recommends for Argon2.
PASSWORD_HASH_KIB = env.integer(
    "PASSWORD_HASH_KIB", 102_400, minimum=64 if DEVELOPMENT else 19_456, maximum=1024 * 1024
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "accounts.passwords.TokensEnd"}]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "login": "accounts.forms.LoginForm",
    "signup": "accounts.forms.SignupForm",
    "add_email": "accounts.forms.AddEmailForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "user_token": "accounts.forms.UserTokenForm",
    "request_login_code": "accounts.codes.RequestCodeForm",
    "confirm_login_code": "accounts.codes.ConfirmCodeForm",
}
# A change of addresses changes credentials, so the password must have been given recently.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_UNIQUE_EMAIL = True
# Each new address is sent a mail.
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_USERNAME_MAX_LENGTH = 150
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_GET = False
# A code that is mailed signs in, too.
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 10 * 60
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if DEVELOPMENT else "https"
# The page and the API share this limit.
SIGN_UPS_PER_HOUR = 20 if not DEVELOPMENT else 600
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    # accounts.attempts has the limits for each name.
    "login_failed": "20/m/ip",
    "signup": f"{SIGN_UPS_PER_HOUR}/h/ip",
    # accounts.mailing limits the mails to one mailbox, and tells nobody.
    "reset_password": "20/m/ip",
    "request_login_code": "20/m/ip",
    "confirm_email": None,
}
# allauth's login stage asks for the second factor; `accounts.factors` does all else.
MFA_ADAPTER = "accounts.factors.adapter.FactorsAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
# Each sign-in is two requests, the first of which makes a session.
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip"}
MFA_WEBAUTHN_USER_VERIFICATION = "required"
# `accounts.factors.services` has the rule which addresses must be verified.
MFA_ALLOW_UNVERIFIED_EMAIL = True
# Whether accounts that read or write everybody's things may do so only with a second factor.
SECOND_FACTOR_REQUIRED = env.choice("SECOND_FACTOR_REQUIRED", "off", ("off", "staff")) == "staff"
KNOX_TOKEN_MODEL = "accounts.Token"  # noqa: S105
# Who may tell us who somebody is. See shop.core.identity, and accounts.providers.
IDENTITY_PROVIDERS = identity.identity_providers(development=DEVELOPMENT)
SOCIALACCOUNT_PROVIDERS = identity.allauth_settings(IDENTITY_PROVIDERS)
SOCIALACCOUNT_ADAPTER = "accounts.providers.adapter.SocialAdapter"
SOCIALACCOUNT_FORMS = {"signup": "accounts.providers.forms.ProviderSignupForm"}
SOCIALACCOUNT_AUTO_SIGNUP = False
# A provider that lies about an address must not open an account, and its tokens are of no use.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False
REST_KNOX = {
    "TOKEN_TTL": timedelta(hours=env.integer("TOKEN_HOURS", 24 * 30, minimum=1, maximum=24 * 365)),
    "AUTH_HEADER_PREFIX": "Token",
    # accounts.services has the limit, because knox has it in a view that is not used.
    "TOKEN_LIMIT_PER_USER": None,
    "AUTO_REFRESH": False,
}
# An account keeps its newest tokens.
TOKENS_PER_ACCOUNT = 100
JWT_GRANTS_PER_ACCOUNT = 100
LIVE_TICKET_SECONDS = 30
LIVE_TICKETS_PER_ACCOUNT = 100

# Browsers keep cookies by host whatever the port, and copies may run side by side.
_PORT = env.text("PORT", "") if DEVELOPMENT else ""
SESSION_COOKIE_NAME = f"sessionid_{_PORT}" if _PORT else "sessionid"
CSRF_COOKIE_NAME = f"csrftoken_{_PORT}" if _PORT else "csrftoken"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
# Scripts read the token from their page's form.
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEVELOPMENT
CSRF_FAILURE_VIEW = "shop.core.errors.csrf_failure"

# --- Mail ----------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Scalable Shop <shop@localhost>")
EMAIL_TIMEOUT = 20
if DEVELOPMENT and not env.text("EMAIL_HOST", ""):
    EMAIL_BACKEND = "shop.core.mail.FileBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"
else:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
    EMAIL_PORT = env.integer("EMAIL_PORT", 587, minimum=1, maximum=65535)
    # The operator has to say so if the mail server wants no account.
    _without_account = env.boolean("EMAIL_WITHOUT_ACCOUNT", DEVELOPMENT)
    EMAIL_HOST_USER = env.secret("SECRET_EMAIL_USER", optional=_without_account)
    EMAIL_HOST_PASSWORD = env.secret(
        "SECRET_EMAIL_USER_PSWD", optional=_without_account and not EMAIL_HOST_USER
    )
    EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", True)
    EMAIL_USE_SSL = env.boolean("EMAIL_USE_SSL", False)

# --- HTTP ----------------------------------------------------------------------------------

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not DEVELOPMENT:
    SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", True)
    # Port 2002 and the containers' own health checks use plain HTTP behind nginx.
    SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^healthz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31536000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
        "worker-src": [SELF],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
APPEND_SLASH = True

STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT", BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
# Where documents are kept. A store that has a bucket is read even if the folder takes new ones.
STORAGES = {
    "default": {
        "BACKEND": "documents.storage.DocumentStorage",
        "OPTIONS": {
            "kind": env.choice("DOCUMENT_STORAGE", "file", ("file", "s3")),
            "location": env.text("REPORTS_DIR", DATA_DIR / "reports"),
            "s3": {
                "bucket": env.text("S3_BUCKET", ""),
                "endpoint": env.address("S3_ENDPOINT", ""),
                "region": env.text("S3_REGION", ""),
                "access_key": env.secret("S3_ACCESS_KEY", optional=True),
                "secret_key": env.secret("S3_SECRET_KEY", optional=True),
            },
        },
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEVELOPMENT
WHITENOISE_AUTOREFRESH = DEVELOPMENT

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = "shop_language"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# --- API -----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.rules.MeetsRule", "shop.core.queries.KnownQuery"],
    "DEFAULT_PARSER_CLASSES": ["shop.core.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["shop.core.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "shop.core.renderers.JSONOnly",
    "DEFAULT_SCHEMA_CLASS": "shop.core.schema.AutoSchema",
    "EXCEPTION_HANDLER": "shop.core.exception_handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["accounts.quotas.AccountThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "sign_in": "30/min",
        "refresh": "1200/min",
        "captcha": "120/min",
        "quiz_challenge": "600/min",
        "verify": "120/min",
    },
    # REST framework takes REMOTE_ADDR, which shop.core.addresses has found.
    "NUM_PROXIES": 0,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
DRF_STANDARDIZED_ERRORS = {"ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True}
SPECTACULAR_SETTINGS = {
    "TITLE": "Scalable Shop",
    "VERSION": "1",
    "DESCRIPTION": (BASE_DIR / "docs" / "api-introduction.md").read_text(encoding="utf-8"),
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "ReportKindEnum": "reports.models.Kind",
        "DocumentKindEnum": ["invoice", "credit_note"],
        "CreditNoteStatusEnum": ["issued"],
        "InvoiceStatusEnum": ["draft", "open", "partially_paid", "paid", "void"],
        "LeadStateEnum": ["new", "confirmed", "withdrawn"],
        "BankCreditStatusEnum": "billing.payments.bank_statements.models.BankCredit.Status",
        "WebhookStateEnum": ["active", "disabled"],
        "DeliveryStateEnum": ["pending", "delivered", "failed"],
    },
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SERVERS": [{"url": "/", "description": "The site that serves this document."}],
    "LICENSE": {"name": "MIT", "url": "https://opensource.org/license/mit"},
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.core.schema.document_errors",
    ],
}

# --- Quotas of one account; 0 sets no limit --------------------------------------------------

# In development the quotas must not limit a benchmark.
_SCALE = 100 if DEVELOPMENT else 1
CONNECTIONS_PER_ADDRESS = env.integer("CONNECTIONS_PER_ADDRESS", 1_000 * _SCALE)

# --- Purchases -----------------------------------------------------------------------------

# Threads for pages and REST in an ASGI process, and threads for large bodies.
WSGI_THREADS = env.integer("WSGI_THREADS", 8, minimum=1, maximum=100)
BULK_THREADS = env.integer("BULK_THREADS", 4, minimum=1, maximum=20)
# The space for bodies of requests, in memory and in temporary files, in one process.
BODIES_MEMORY_BYTES = env.integer("BODIES_MEMORY_MIB", 64, minimum=1) * 1024 * 1024
BODIES_DISK_BYTES = env.integer("BODIES_DISK_MIB", 1024, minimum=1) * 1024 * 1024
# The contract promises a heartbeat every 25 seconds, and that sockets end within 60 seconds of the
# right to them.
FEED_HEARTBEAT_SECONDS = env.integer("FEED_HEARTBEAT_SECONDS", 15, minimum=1, maximum=20)
FEED_CREDENTIALS_SECONDS = env.integer("FEED_CREDENTIALS_SECONDS", 20, minimum=1, maximum=45)

# --- Logs ----------------------------------------------------------------------------------

LOG_JSON = env.boolean("LOG_JSON", not DEVELOPMENT)
LOGGING = logging_config(json=LOG_JSON)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"
# The first middleware has looked at it or made it, so lines have the id of the answer.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
configure_structlog()

# --- Documents: what is rendered, stored and mailed -------------------------------------------

# The variables begin with REPORTS_, as reports were the first kind of documents.
# A claim that was not renewed for this long belongs to a worker that died.
DOCUMENT_CLAIM_SECONDS = env.integer("REPORTS_CLAIM_SECONDS", 30, minimum=2)
# A mail whose worker says nothing for this long has an unknown outcome.
DOCUMENT_SENDING_SECONDS = env.integer("REPORTS_SENDING_SECONDS", 120, minimum=2)
DOCUMENT_SWEEP_SECONDS = env.integer("REPORTS_SWEEP_SECONDS", 10, minimum=1)
DOCUMENT_RETRY_SECONDS = env.integer("REPORTS_RETRY_SECONDS", 10, minimum=1)
DOCUMENT_RENDER_ATTEMPTS = 5

# --- Webhooks: events that leave the house ----------------------------------------------------

# Addresses and networks that webhooks may reach though they are inside, by HTTP too.
WEBHOOK_ALLOW = env.networks("WEBHOOK_ALLOW")
WEBHOOKS_PER_ACCOUNT = 20

# --- The stream: the event log as a topic of Kafka --------------------------------------------

KAFKA_BROKERS = env.words("KAFKA_BROKERS")
KAFKA_TOPIC = env.text("KAFKA_TOPIC", "shop.events")
# By the names of librdkafka; what is not given stays as it is there.
KAFKA = {
    name: value
    for name, value in {
        "bootstrap.servers": ",".join(KAFKA_BROKERS),
        "security.protocol": env.choice(
            "KAFKA_SECURITY_PROTOCOL",
            "plaintext",
            ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        ),
        "ssl.ca.location": env.text("KAFKA_CA_FILE", ""),
        "ssl.certificate.location": env.text("KAFKA_CERTIFICATE_FILE", ""),
        "ssl.key.location": env.text("KAFKA_KEY_FILE", ""),
        "sasl.mechanism": env.text("KAFKA_SASL_MECHANISM", ""),
        "sasl.username": env.text("KAFKA_SASL_USERNAME", ""),
        "sasl.password": env.secret("KAFKA_SASL_PASSWORD", optional=True),
    }.items()
    if value
}

# --- Billing: invoices, credit notes, coupons and payments ------------------------------------

# Without it there are no routes, no pages and no panels of billing.
BILLING = env.boolean("BILLING", True)
# Purchases before this day, in the site's time zone, are never invoiced.
BILLING_SINCE = env.day("BILLING_SINCE")
BILLING_PRICES_INCLUDE_TAX = env.boolean("BILLING_PRICES_INCLUDE_TAX", True)
# How long the buyer of an issued document stays, whoever is erased.
BILLING_KEEP_YEARS = env.integer("BILLING_KEEP_YEARS", 10, minimum=1, maximum=100)
# Whether a worker asks the EU's register about customers' VAT ids.
BILLING_VAT_CHECK = env.boolean("BILLING_VAT_CHECK", not DEVELOPMENT)
BILLING_VIES_URL = env.address(
    "BILLING_VIES_URL", "https://ec.europa.eu/taxation_customs/vies/rest-api"
).rstrip("/")
_EXAMPLE_IBAN = "DE89370400440532013000"
# The shop, as its next documents name it.
BILLING_SELLER = {
    # None is the name of the site.
    "name": env.text("BILLING_SELLER_NAME", "") or None,
    "address": env.text("BILLING_SELLER_ADDRESS", ""),
    "postcode": env.text("BILLING_SELLER_POSTCODE", ""),
    "city": env.text("BILLING_SELLER_CITY", ""),
    "country": env.text("BILLING_SELLER_COUNTRY", "").upper(),
    "vat_id": env.text("BILLING_SELLER_VAT_ID", ""),
    "tax_number": env.text("BILLING_SELLER_TAX_NUMBER", ""),
    "email": env.text("BILLING_SELLER_EMAIL", ""),
    # Development has an account that exists nowhere, so that one can try to pay.
    "iban": env.text("BILLING_SELLER_IBAN", _EXAMPLE_IBAN if DEVELOPMENT else "").replace(" ", ""),
    "bic": env.text("BILLING_SELLER_BIC", ""),
}
# Payments by Stripe, where there is a key. While the secret that signs its webhooks is changed,
# both are given, separated by a comma.
STRIPE_SECRET_KEY = env.secret("STRIPE_SECRET_KEY", optional=True)
STRIPE_WEBHOOK_SECRETS = env.secrets("STRIPE_WEBHOOK_SECRET")
STRIPE_API_URL = env.address("STRIPE_API_URL", "https://api.stripe.com")
# A provider for trying things out, which moves no money.
BILLING_TEST_PROVIDER = DEVELOPMENT
BILLING_TEST_WEBHOOK_SECRETS = ["whsec_test"]
