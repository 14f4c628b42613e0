"""What a line of the log holds."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Rows, Table, personal, plain

_ERASED = {"message": "''", "fields": "'{}'", "words": "NULL"}
# The index of words finds the few lines that may name the account; those whose field is a name do.
_NAMED = """
t.words @@ (
    SELECT string_agg(words, ' | ')::tsquery FROM (
        SELECT '(' || string_agg(quote_literal(word), ' & ') || ')' AS words
        FROM unnest(%(emails)s || ARRAY[lower(%(username)s), lower(%(userid)s)]) AS name,
             regexp_split_to_table(name, '[^[:alnum:]]+') AS word
        WHERE word <> '' GROUP BY name
    ) AS names
) AND EXISTS (
    SELECT FROM jsonb_each_text(t.fields) AS field
    WHERE lower(field.value) = ANY (%(emails)s || ARRAY[lower(%(username)s), lower(%(userid)s)])
)
"""

TABLES = (
    Table(
        "logs_entry",
        _(
            "Lines of the log: what the site did when, so that faults are found. They go by"
            " themselves after a day, two weeks or three months, by how serious they are, unless"
            " the shop sets other times."
        ),
        plain("at id kept level part instance logger event request_id user_id"),
        # A line may tell of others, too.
        [
            column
            for name, erased in _ERASED.items()
            for column in personal(name, erased=erased, exported=False)
        ],
        about="t.user_id = %(account)s",
        section="log",
        also=[Rows(about=_NAMED, what=_("Lines that name you."), erased=_ERASED)],
    ),
)
