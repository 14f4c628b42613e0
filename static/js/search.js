// The search field of the top line: a combobox whose list holds what the server finds while one
// types. Without this script the form leads to the page of the search.
import { n, t } from "./texts.js";

const PAUSE = 150;
const KEPT = 50;

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// Why there is no answer, in people's words.
function reason(answer) {
  if (answer?.status === 429) return t("These were many searches. Wait a moment, then type on.");
  if (answer?.status === 400) return t("Nothing can have this name.");
  if (answer?.redirected) return t("You are signed out. Sign in again to search.");
  return t("The search does not answer. Press Enter to try again.");
}

export class Palette {
  constructor(input) {
    this.input = input;
    this.answers = new Map();
    this.active = -1;
    this.options = [];
    const id = `${input.id}-hits`;
    this.list = element("div", { id, role: "listbox", "aria-label": t("Found") });
    this.status = element("p", { role: "status", class: "hint" });
    this.popup = element("div", { class: "palette" }, this.list, this.status);
    this.popup.hidden = true;
    input.form.append(this.popup);
    for (const [key, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false" })) input.setAttribute(key, value);
    input.addEventListener("input", () => this.typed());
    input.addEventListener("keydown", (event) => this.pressed(event));
    input.addEventListener("focus", () => this.typed());
    input.form.addEventListener("focusout", (event) => input.form.contains(event.relatedTarget) || this.close());
    // A click takes the focus from the field, and the list would be gone before the click is done.
    this.popup.addEventListener("pointerdown", (event) => event.preventDefault());
    if (document.activeElement === input) this.typed();
  }

  get text() {
    return this.input.value.trim();
  }

  typed() {
    clearTimeout(this.timer);
    this.asking?.abort();
    if (!this.text) return this.close();
    const known = this.answers.get(this.text);
    if (known) return this.show(known);
    this.timer = setTimeout(() => this.ask(this.text), PAUSE);
  }

  async ask(text) {
    const asking = (this.asking = new AbortController());
    let answer;
    try {
      answer = await fetch(`${this.input.form.action}?${new URLSearchParams({ q: text })}`, { headers: { Accept: "application/json" }, signal: asking.signal });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const found = await answer.json();
      if (this.answers.size >= KEPT) this.answers.clear();
      if (found.complete) this.answers.set(text, found);
      if (!asking.signal.aborted) this.show(found);
    } catch {
      if (!asking.signal.aborted) this.show({ hits: [], complete: true }, reason(answer));
    }
  }

  show({ hits, complete }, message) {
    if (document.activeElement !== this.input) return;
    const groups = new Map();
    this.options = hits.map((hit, number) => {
      const label = element("bdi", {}, hit.label);
      const option = element("a", { role: "option", id: `${this.list.id}-${number}`, href: hit.url, tabindex: "-1", "aria-selected": "false" }, label);
      if (hit.detail) option.append(" ", element("small", {}, hit.detail));
      if (!groups.has(hit.kind)) groups.set(hit.kind, []);
      groups.get(hit.kind).push(option);
      return option;
    });
    this.list.replaceChildren(
      ...[...groups].map(([kind, options]) => element("div", { role: "group", "aria-label": kind }, element("span", { class: "group", "aria-hidden": "true" }, kind), ...options)),
    );
    const count = hits.length ? n("%(count)s result", "%(count)s results", hits.length) : t("Nothing was found.");
    this.status.textContent = message ?? (complete ? count : t("The search took too long, so some things may be missing."));
    this.list.hidden = !hits.length;
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", String(hits.length > 0));
    this.choose(-1);
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.popup.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.choose(-1);
  }

  choose(number) {
    this.options[this.active]?.setAttribute("aria-selected", "false");
    this.active = number;
    const option = this.options[number];
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  pressed(event) {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    const isOpen = !this.popup.hidden;
    if (event.key === "Escape") {
      event.preventDefault();
      if (isOpen) this.close();
      else if (this.input.value) this.input.value = "";
      else this.input.blur();
    } else if (event.key === "Enter" && isOpen && this.options[this.active]) {
      event.preventDefault();
      this.options[this.active].click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) return this.typed();
      const count = this.options.length + 1;
      const step = event.key === "ArrowDown" ? 1 : -1;
      // Beyond either end the field itself is next.
      this.choose(((this.active + 1 + step + count) % count) - 1);
    }
  }
}
