"""The access to pages of no app: health, documentation, and the admin's own pages."""

from django.contrib.admin import site as admin_site

from tests.access import ELSEWHERE, OPEN_NO_METHOD, READ_ONLY, Access, admin

# No relay runs beside the test, so this answers 503 to everybody.
NO_RELAY = {"GET": {"default": 503}, "POST": OPEN_NO_METHOD}

APP_LIST = next(
    f"admin/{pattern.pattern}"
    for pattern in admin_site.get_urls()
    if getattr(pattern, "name", "") == "app_list"
)

ACCESS = Access(
    pages={
        "healthz": NO_RELAY,
        "^scalable-shop-cm-server/healthz": NO_RELAY,
        "livez": READ_ONLY,
        "readyz": READ_ONLY,
        "metrics": READ_ONLY,
        "documentation": READ_ONLY,
        "documentation/": READ_ONLY,
        "documentation/openapi.json": READ_ONLY,
        "jsi18n/": READ_ONLY,
        "robots.txt": READ_ONLY,
        "styleguide/": READ_ONLY,
        "favicon.ico": {"GET": ELSEWHERE, "POST": OPEN_NO_METHOD},
        "admin/": {"GET": admin(), "POST": admin()},
        "admin/logout/": {"GET": admin(405), "POST": ELSEWHERE},
        "admin/password_change/done/": {"GET": admin(), "POST": admin(405)},
        "admin/autocomplete/": {"GET": admin(403), "POST": admin(405)},
        "admin/jsi18n/": {"GET": admin(), "POST": admin(405)},
        # Each app with models has a page in the admin, and this route names them all.
        APP_LIST: {"GET": admin(), "POST": admin()},
        "admin/(?P<url>.*)$": {"GET": admin(404), "POST": admin(404)},
    },
)
