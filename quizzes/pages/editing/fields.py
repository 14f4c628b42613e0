"""The fields of the editor's form: which there are, for which types, and their words.

The script draws them. ``p`` is the place in its part, ``k`` the kind of the field, ``l`` the label,
``h`` a hint, ``d`` the default, which is not written, and ``if`` for which values of other members
it is there; an empty one stands for "not written". Fields with ``more`` wait behind a summary.
"""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Field = dict[str, Any]

TYPES = {
    "single": gettext_lazy("One answer"),
    "multiple": gettext_lazy("Several answers"),
    "scale": gettext_lazy("Scale"),
    "number": gettext_lazy("A number"),
    "text": gettext_lazy("Text"),
    "info": gettext_lazy("Information, no question"),
}
_CHOICES = ["single", "multiple"]
_ASKED = ["single", "multiple", "scale", "number", "text"]


def _field(kind: str, place: str, label: str, **more: Any) -> Field:
    return {"k": kind, "p": place, "l": label, **more}


def fields() -> dict[str, Any]:
    """Return the sections of the form and the fields of each part, in the reader's language."""
    return {
        "page": _page(),
        "questions": _question(),
        "options": _option(),
        "outcomes": _outcome(),
        "bands": _band(),
        "categories": _category(),
        "blocks": _block(),
        "consents": _consent(),
        "fresh": FRESH,
    }


_OPTIONS = [{"key": "a", "title": {}}, {"key": "b", "title": {}}]
FRESH: dict[str, Field] = {
    "single": {"options": _OPTIONS},
    "multiple": {"options": _OPTIONS},
    "scale": {"from": 1, "to": 5},
    "number": {},
    "text": {},
    "info": {},
}
"""What a question has when it gets a type."""


def _page() -> list[dict[str, Any]]:
    return [
        _section(
            "about",
            _("About the quiz"),
            _field("texts", "title", _("Title"), keep=True),
            _field("texts", "intro", _("Words before the first question"), rows=2),
            _field("languages", "languages", _("Languages")),
        ),
        _section(
            "asked",
            _("Questions"),
            _field(
                "list",
                "questions",
                _("Questions"),
                part="questions",
                key="q",
                noun=_("Question"),
                types={name: str(label) for name, label in TYPES.items()},
                add=[
                    [str(label), {"key": "", "type": name, "title": {}, **FRESH[name]}]
                    for name, label in TYPES.items()
                ],
            ),
        ),
        _section(
            "results",
            _("Results"),
            _field(
                "select",
                "settings.headline",
                _("A result is"),
                o=[["band", _("a level, by points")], ["outcome", _("one of several outcomes")]],
                d="band",
                redraw=True,
                h=_(
                    "Options give points, which reach a level, and weight to outcomes: the one"
                    " with the most is the result."
                ),
            ),
            _field(
                "list",
                "outcomes",
                _("Outcomes"),
                part="outcomes",
                key="outcome",
                noun=_("Outcome"),
                title=True,
                add=[[_("Add an outcome"), {"key": "", "title": {}}]],
            ),
            _field(
                "select",
                "fallback",
                _("Outcome for everybody else"),
                h=_("Whoever gives no outcome any weight gets this one."),
                ref="outcomes",
                need="outcomes",
            ),
            _field(
                "list",
                "bands",
                _("Levels"),
                part="bands",
                key="level",
                noun=_("Level"),
                title=True,
                rows=True,
                add=[[_("Add a level"), {"key": "", "from": 0, "title": {}}]],
            ),
            _field(
                "list",
                "result.blocks",
                _("More words of the result"),
                part="blocks",
                noun=_("Text"),
                title=True,
                add=[[_("Add a text"), {"text": {}}]],
            ),
            _field(
                "text", "result.coupon", _("Coupon campaign"), h=_("Whose code a lead is given.")
            ),
            h=_("What respondents are told at the end."),
        ),
        _section(
            "categories_",
            _("Categories"),
            _field(
                "list",
                "categories",
                _("Categories"),
                part="categories",
                key="category",
                noun=_("Category"),
                add=[[_("Add a category"), {"key": "", "title": {}}]],
            ),
            h=_("Points are also told for each category that questions belong to."),
        ),
        _section(
            "contact_",
            _("Contact"),
            _field(
                "select",
                "settings.contact",
                _("Ask for a mail address"),
                o=[
                    ["none", _("no")],
                    ["before_result", _("before the result is shown")],
                    ["after_result", _("after the result, to send it")],
                ],
                d="none",
                redraw=True,
            ),
            _field(
                "select",
                "contact.name",
                _("Ask for a name"),
                o=[["none", _("no")], ["optional", _("if they like")], ["required", _("yes")]],
                d="none",
            ),
            _field("texts", "contact.text", _("Words beside the address"), rows=2),
            _field(
                "list",
                "contact.consents",
                _("Consents"),
                part="consents",
                key="consent",
                noun=_("Consent"),
                title=True,
                rows=True,
                add=[[_("Add a consent"), {"key": "", "text": {}}]],
            ),
        ),
        _section(
            "settings_",
            _("Settings"),
            _field("switch", "settings.back", _("Respondents may go back"), d=True),
            _field(
                "select",
                "settings.reveal",
                _("Tell which answers are right"),
                o=[["never", _("never")], ["result", _("with the result")]],
                d="never",
            ),
            _field("number", "settings.time_limit", _("Time limit in seconds")),
            _field(
                "select",
                "settings.percent_of",
                _("Percent of"),
                o=[
                    ["max", _("the most points that were possible")],
                    ["range", _("the range from the least to the most points")],
                ],
                d="max",
            ),
            _field(
                "switch", "normalise", _("Outcomes with few options have the same chance as others")
            ),
        ),
    ]


def _section(id: str, label: str, *fields: Field, h: str = "") -> dict[str, Any]:
    return {"id": id, "l": label, "h": h, "fields": list(fields)}


def _key(kind: str) -> Field:
    hint = _("Its name in exports: small letters, digits and _.")
    return _field("text", "key", _("Key"), key=kind, h=hint, more=True)


def _question() -> list[Field]:
    return [
        _field("texts", "title", _("Question"), keep=True, redraw=True),
        _field(
            "select",
            "type",
            _("Type"),
            o=[[name, str(label)] for name, label in TYPES.items()],
            retype=True,
            redraw=True,
        ),
        _field("switch", "required", _("An answer is required"), **_only(_ASKED)),
        _field(
            "list",
            "options",
            _("Options"),
            part="options",
            key="o",
            noun=_("Option"),
            rows=True,
            title=True,
            add=[[_("Add an option"), {"key": "", "title": {}}]],
            **_only(_CHOICES),
        ),
        _field("number", "from", _("From"), redraw=True, **_only(["scale"])),
        _field("number", "to", _("To"), redraw=True, **_only(["scale"])),
        _field("ends", "labels", _("What this step means:"), **_only(["scale"])),
        _field("number", "correct", _("Right number"), **_only(["number"])),
        _field("number", "tolerance", _("May differ by"), d="0", **_only(["number"])),
        _field("lines", "correct", _("Right answers, one in each line"), **_only(["text"])),
        _field("number", "points", _("Points"), d="0", **_only(["number", "text"])),
        _field("refs", "categories", _("Categories"), ref="categories", **_only(_ASKED)),
        _field("condition", "show_if", _("When it is shown")),
        _field("texts", "text", _("Explanation"), rows=2, more=True),
        _field("number", "weight", _("Weight of its points"), d="1", more=True, **_only(_ASKED)),
        _field("switch", "shuffle", _("Options in random order"), more=True, **_only(_CHOICES)),
        _field(
            "select",
            "rule",
            _("Points"),
            o=[
                ["sum", _("the sum of the chosen options")],
                ["exact", _("for exactly the right options")],
            ],
            d="sum",
            redraw=True,
            more=True,
            **_only(["multiple"]),
        ),
        _field(
            "number",
            "points",
            _("Points"),
            d="0",
            more=True,
            **{"if": {"type": ["multiple"], "rule": ["exact"]}},
        ),
        _field("number", "min", _("At least"), more=True, **_only(["multiple", "number"])),
        _field("number", "max", _("At most"), more=True, **_only(["multiple", "number"])),
        _field("number", "floor", _("Fewest points"), d="0", more=True, **_only(["multiple"])),
        _field("texts", "unit", _("Unit"), more=True, **_only(["number"])),
        _field("switch", "reverse", _("The first step is the best"), more=True, **_only(["scale"])),
        _field("number", "factor", _("Points of each step"), d="1", more=True, **_only(["scale"])),
        _field("number", "lines", _("Lines of the field"), d="1", more=True, **_only(["text"])),
        _field("number", "max_length", _("Most characters"), d="500", more=True, **_only(["text"])),
        _key("questions"),
    ]


def _only(types: list[str]) -> dict[str, Any]:
    return {"if": {"type": types}}


def _option() -> list[Field]:
    return [
        _field("texts", "title", _("Option"), keep=True, redraw=True),
        _field("number", "points", _("Points"), d="0"),
        _field("weights", "outcomes", _("Weight"), need="outcomes"),
        _field("switch", "correct", _("This is right"), more=True),
        _field("refs", "excludes", _("Rules out"), ref="outcomes", more=True),
        _field(
            "select",
            "pin",
            _("Place in a random order"),
            o=[["", _("any")], ["first", _("first")], ["last", _("last")]],
            more=True,
        ),
        _key("options"),
    ]


def _outcome() -> list[Field]:
    return [
        _field("texts", "title", _("Outcome"), keep=True, redraw=True),
        _field("texts", "text", _("Words of the result"), rows=3, h=_placeholders()),
        _field("text", "item", _("Item of the shop"), more=True),
        _key("outcomes"),
    ]


def _band() -> list[Field]:
    return [
        _field("texts", "title", _("Level"), keep=True, redraw=True),
        _field("number", "from", _("From this percentage on"), redraw=True),
        _field("texts", "text", _("Words of the result"), rows=3, h=_placeholders()),
        _key("bands"),
    ]


def _category() -> list[Field]:
    return [
        _field("texts", "title", _("Category"), keep=True, redraw=True),
        _field(
            "list",
            "bands",
            _("Levels of the category"),
            part="bands",
            key="level",
            noun=_("Level"),
            rows=True,
            title=True,
            add=[[_("Add a level"), {"key": "", "from": 0, "title": {}}]],
        ),
        _key("categories"),
    ]


def _block() -> list[Field]:
    return [
        _field("texts", "text", _("Text"), rows=3, keep=True, redraw=True, h=_placeholders()),
        _field("refs", "when.outcome", _("Only for these outcomes"), ref="outcomes"),
        _field(
            "select",
            "when.category",
            _("By the levels of"),
            ref="categories",
            need="categories",
            redraw=True,
        ),
        _field("refs", "when.band", _("Only for these levels"), ref="bands"),
    ]


def _consent() -> list[Field]:
    return [
        _field("texts", "text", _("What they agree to"), rows=2, keep=True),
        _key("consents"),
    ]


def _placeholders() -> str:
    return _("Write {{points}}, {{max}}, {{percent}}, {{band}} or {{outcome}} for the numbers.")
