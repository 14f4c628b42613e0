"""The access to the player and the format: everybody, signed in or not."""

from tests.access import OPEN, OPEN_NO_METHOD, READ_ONLY, Rows

# Without its signed attempt the plain form is shown once more.
PAGES: Rows = {
    "q/<str:slug>/": {"GET": OPEN, "POST": {"default": 400}},
    "q/<str:slug>/brand.css": READ_ONLY,
    "q/<str:slug>/logo.png": {"GET": {"default": 404}, "POST": OPEN_NO_METHOD},
    "q/<str:slug>/embed.js": READ_ONLY,
    "q/<str:slug>/worker.js": READ_ONLY,
    "documentation/quiz.schema.json": READ_ONLY,
}
