"""A newcomer makes a quiz with the form, and answers it; two people at once lose nothing."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import Windows

pytestmark = pytest.mark.system


def _at(page: Page, place: str) -> str:
    """Return the selector of a field by its place in the definition."""
    return f"[id='{place}']"


def _saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("Saved", timeout=20_000)


def _draft(page: Page) -> Any:
    data = json.loads(page.locator("#editor-data").text_content() or "")
    return page.request.get(data["urls"]["draft"]).json()


def test_a_newcomer_makes_a_quiz_and_answers_it(windows: Windows) -> None:
    page = windows.sign_in("staff", viewport={"width": 390, "height": 844})
    page.goto("/quizzes/?company=shop")
    page.fill("#title", "Which coffee?")
    page.get_by_role("button", name="Make the quiz").click()
    for name in ("Espresso", "Filter"):
        page.get_by_role("button", name="Add an outcome").click()
        page.keyboard.type(name)
    for number, (title, *options) in enumerate(
        (("How strong?", "Very", "Mild"), ("Time?", "None", "Much"))
    ):
        page.get_by_role("group", name="Questions").get_by_role("button", name="One answer").click()
        page.keyboard.type(title)
        for place, option in enumerate(options):
            where = f"questions.{number}.options.{place}"
            page.fill(_at(page, f"{where}.title.en"), option)
            page.fill(_at(page, f"{where}.outcomes.outcome{place + 1}"), "1")
    # The second is asked only after the first option of the first, which is chosen by its words.
    page.locator(_at(page, "questions.1.show_if:join")).select_option("all")
    expect(page.get_by_role("checkbox", name="Very")).to_be_checked()
    # By keyboard: down and up again; the focus goes with the question.
    page.locator(_at(page, "questions.0:copy")).focus()
    page.keyboard.press("Enter")
    page.locator(_at(page, "questions.1:delete")).press("Enter")
    _saved(page)
    expect(page.locator("#count")).to_have_text("It can be published.")
    # What is wrong stands at its field.
    page.fill(_at(page, "questions.0.title.en"), "")
    expect(page.locator("#count")).to_contain_text("1 thing to correct")
    page.locator("#problems a").first.click()
    expect(page.locator(_at(page, "questions.0.title.en"))).to_be_focused()
    page.fill(_at(page, "questions.0.title.en"), "How strong?")
    _saved(page)
    # Without a connection nothing is lost, also not by closing the page.
    address = page.url
    page.context.set_offline(True)
    page.fill(_at(page, "title.en"), "Which coffee fits?")
    expect(page.locator("#saved")).to_contain_text("no connection")
    page.context.set_offline(False)
    windows.problems.clear()
    page.goto(address)
    _saved(page)
    assert _draft(page)["title"] == {"en": "Which coffee fits?"}
    # The other person saves first; both versions are there.
    other = page.context.new_page()
    other.goto(address)
    other.fill(_at(other, "title.en"), "Coffee!")
    _saved(other)
    page.fill(_at(page, "intro.en"), "Two questions.")
    expect(page.locator("#conflict-places")).to_contain_text("title")
    windows.problems.clear()
    page.get_by_role("button", name="Take theirs").click()
    expect(page.locator(_at(page, "title.en"))).to_have_value("Coffee!")
    assert "Two questions." in page.locator("#mine-text").input_value()
    # The JSON is the same quiz, both ways.
    page.get_by_role("button", name="JSON").click()
    text = page.locator("#definition").input_value()
    page.fill("#definition", text.replace("Coffee!", "Which coffee?"))
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.locator(_at(page, "title.en"))).to_have_value("Which coffee?")
    _saved(page)
    page.get_by_role("link", name="Publish…").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("#versions")).to_contain_text("1")
    page.locator("main a[href^='/q/which-coffee']").click()
    page.get_by_text("Mild").click()
    expect(page.get_by_text("How strong?")).to_be_visible()


def test_groups_of_conditions_are_made_by_keyboard_and_kept_as_written(windows: Windows) -> None:
    page = windows.sign_in("staff", viewport={"width": 390, "height": 844})
    page.goto("/quizzes/?company=shop")
    page.fill("#title", "Groups")
    page.locator("select[name=headline]").select_option("band")
    page.get_by_role("button", name="Make the quiz").click()
    choices = [{"key": key, "title": {"en": key}} for key in ("yes", "no")]
    asked = [
        {"key": f"q{n}", "type": "single", "title": {"en": f"Q{n}"}, "options": choices}
        for n in (1, 2, 3)
    ]
    looks = [{"q": "q1", "is": ["yes"]}, {"q": "q2", "not": ["no"]}]
    asked[2]["show_if"] = {"all": [{"q": "q1", "answered": True}, {"any": looks}]}
    definition = _draft(page) | {"questions": asked}
    _as_json(page, definition)
    _saved(page)
    assert _draft(page)["questions"] == asked
    page.locator(_at(page, "questions.2")).locator("summary").first.click()
    shown = page.locator(_at(page, "questions.2.show_if"))
    expect(shown.get_by_role("group", name="A group of conditions")).to_have_count(1)
    expect(page.locator(_at(page, "questions.2.show_if:1:join"))).to_have_value("any")
    # One more look in the group, another joining, and a second group: all by keyboard.
    _press(page, "questions.2.show_if:1:add")
    expect(page.locator(_at(page, "questions.2.show_if:1:2:q"))).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.locator(_at(page, "questions.2.show_if:1:join")).focus()
    page.keyboard.type("All")
    page.keyboard.press("Enter")
    _press(page, "questions.2.show_if:group")
    expect(page.locator(_at(page, "questions.2.show_if:2:join"))).to_be_focused()
    expect(shown.get_by_role("group", name="A group of conditions")).to_have_count(2)
    # A group in a group has no group inside, because that would be too deep.
    expect(page.get_by_role("button", name="A group of conditions")).to_have_count(1)
    _saved(page)
    added = {"q": "q2", "is": ["yes"]}
    assert _draft(page)["questions"][2]["show_if"] == {
        "all": [{"q": "q1", "answered": True}, {"all": [*looks, added]}, {"any": [added]}]
    }
    expect(page.locator("#problems")).not_to_contain_text("levels")
    # Whatever is taken away leaves the focus at what comes next; the last one leaves "Always".
    _press(page, "questions.2.show_if:2:0:delete")
    expect(page.locator(_at(page, "questions.2.show_if:1:delete"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(_at(page, "questions.2.show_if:0:delete"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(_at(page, "questions.2.show_if:join"))).to_be_focused()
    _saved(page)
    assert "show_if" not in _draft(page)["questions"][2]
    # What the form cannot say stays as it is.
    asked[2]["show_if"] = deep = {"all": [{"any": [{"all": looks}]}]}
    _as_json(page, {**definition, "questions": asked})
    page.locator(_at(page, "questions.2")).locator("summary").first.click()
    expect(shown).to_contain_text("Change it as JSON")
    _saved(page)
    assert _draft(page)["questions"][2]["show_if"] == deep


def _press(page: Page, place: str) -> None:
    page.locator(_at(page, place)).focus()
    page.keyboard.press("Enter")


def _as_json(page: Page, definition: Any) -> None:
    page.get_by_role("button", name="JSON").click()
    page.fill("#definition", json.dumps(definition))
    page.get_by_role("button", name="Form", exact=True).click()
