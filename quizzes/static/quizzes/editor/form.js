// The form of a definition. Which fields there are, and their words, the server says.
import { icon } from "../../js/toast.js";
import { t } from "../../js/texts.js";
import { conditionField } from "./condition.js";
import { h } from "./elements.js";
import { forgetLanguage, freshKey, get, isMap, listOf, rename, set } from "./model.js";

const named = new Intl.DisplayNames([document.documentElement.lang], { type: "language" });
export const languageName = (code) => {
  try {
    return named.of(code);
  } catch {
    return code; // What is typed as JSON need not be a language.
  }
};
// Numbers stay as they are typed: 2 is a number, 2.5 a string, and what is none the check tells.
const numberOf = (text) => {
  const plain = text.trim().replace(",", ".");
  return plain === "" ? undefined : /^-?\d{1,9}$/.test(plain) ? Number(plain) : plain;
};

export class Form {
  constructor(root, data, state) {
    Object.assign(this, { root, data, state, opened: new WeakSet(), more: new WeakSet(), held: false, waiting: false });
    // To draw between the press and the release of a button would take the button away.
    addEventListener("pointerdown", () => (this.held = true), true);
    for (const name of ["pointerup", "pointercancel"])
      addEventListener(name, () => setTimeout(() => ((this.held = false), this.waiting && this.draw())), true);
  }

  get model() {
    return this.state.model;
  }
  get languages() {
    return listOf(this.model.languages).filter((each) => typeof each === "string");
  }

  draw(focus) {
    this.waiting = false;
    const active = document.activeElement;
    const id = focus ?? (this.root.contains(active) ? active.id : "");
    const { selectionStart, selectionEnd } = active;
    this.root.replaceChildren(...this.data.fields.page.map((section) => this.section(section)).filter(Boolean));
    const found = id ? document.getElementById(id) : null;
    found?.focus({ preventScroll: !focus });
    if (!focus && Number.isInteger(selectionStart)) found?.setSelectionRange?.(selectionStart, selectionEnd);
    this.state.drawn();
  }
  redraw() {
    if (this.held) this.waiting = true;
    else setTimeout(() => this.draw());
  }

  section(section) {
    const parts = this.parts(section.fields, "", this.model, section.id);
    return h("section", { class: "card", id: section.id, "aria-label": section.l }, h("h2", {}, section.l), section.h && h("p", { class: "hint" }, section.h), h("div", { "data-errors": true }), ...parts);
  }

  // The fields of one part; those that are rarely needed wait behind "More".
  parts(fields, base, owner, id) {
    const shown = fields.filter((field) => this.fits(field, owner));
    const made = (which) => shown.filter(which).map((field) => this.field(field, base, owner)).filter(Boolean);
    const more = made((field) => field.more);
    if (!more.length) return made((field) => !field.more);
    const details = h("details", { id: `${id}:more`, class: "field", open: this.more.has(owner) }, h("summary", {}, t("More settings")), ...more);
    details.addEventListener("toggle", () => this.more[details.open ? "add" : "delete"](owner));
    return [...made((field) => !field.more), details];
  }
  fits(field, owner) {
    if (field.need && !listOf(get(this.model, field.need)).length) return false;
    return Object.entries(field.if ?? {}).every(([name, values]) => values.includes(get(owner ?? {}, name) ?? ""));
  }

  field(field, base, owner) {
    const path = base + field.p;
    const make = this[`${field.k}Field`];
    return make ? make.call(this, field, path, owner) : conditionField(this, field, path, owner);
  }

  // An input with its label, a hint, and a place for what is wrong.
  labelled(input, label, hint, path) {
    input.id = path;
    const hinted = hint ? h("span", { class: "hint", id: `${path}:hint` }, hint) : null;
    if (hinted) input.setAttribute("aria-describedby", hinted.id);
    return h("div", { class: "field" }, h("label", { for: path }, label), hinted, input);
  }
  typed(field, path, input, value, read) {
    input.value = value ?? "";
    input.addEventListener("input", () => this.put(path, read(input.value), field.keep));
    if (field.redraw) input.addEventListener("change", () => this.redraw());
    return input;
  }
  put(path, value, keep) {
    set(this.model, path, value, keep);
    this.state.changed();
  }

  textField(field, path) {
    const old = get(this.model, path);
    const input = this.typed(field, path, h("input", { autocomplete: "off" }), old, (text) => text || undefined);
    if (field.key) input.addEventListener("change", () => this.renamed(field.key, path, old, input.value));
    return this.labelled(input, field.l, field.h, path);
  }
  renamed(kind, path, old, now) {
    const steps = path.split(".");
    // A key that is emptied stays what it was.
    if (!now) set(this.model, path, old);
    else rename(this.model, kind, old, now, get(this.model, steps.slice(0, -3).join(".")));
    this.state.changed();
    this.redraw();
  }
  numberField(field, path) {
    const input = this.typed(field, path, h("input", { inputmode: "decimal", autocomplete: "off", placeholder: field.d }), get(this.model, path), numberOf);
    return this.labelled(input, field.l, field.h, path);
  }
  textsField(field, path) {
    const value = get(this.model, path);
    const inputs = this.languages.map((language) => {
      const input = h(field.rows ? "textarea" : "input", { rows: field.rows, lang: language, dir: "auto", autocomplete: "off" });
      this.typed(field, `${path}.${language}`, input, isMap(value) ? value[language] : "", (text) => text || undefined);
      const label = this.languages.length > 1 ? `${field.l} (${languageName(language)})` : field.l;
      return this.labelled(input, label, field.h, `${path}.${language}`);
    });
    return h("div", { class: "row", id: path }, ...inputs);
  }
  linesField(field, path) {
    const read = (text) => ((lines) => (lines.length ? lines : undefined))(text.split("\n").map((line) => line.trim()).filter(Boolean));
    return this.labelled(this.typed(field, path, h("textarea", { rows: 2 }), listOf(get(this.model, path)).join("\n"), read), field.l, field.h, path);
  }
  switchField(field, path) {
    const input = h("input", { type: "checkbox", role: "switch", id: path });
    input.checked = get(this.model, path) ?? field.d ?? false;
    input.addEventListener("change", () => {
      this.put(path, input.checked === (field.d ?? false) ? undefined : input.checked);
      if (field.redraw) this.redraw();
    });
    return h("div", { class: "field" }, h("label", { class: "switch", for: path }, input, h("span", {}, field.l)));
  }
  selectField(field, path, owner) {
    const options = field.ref ? [["", "–"], ...this.choices(field.ref)] : field.o;
    const input = h("select", {}, ...options.map(([value, label]) => h("option", { value }, label)));
    input.value = get(this.model, path) ?? field.d ?? "";
    input.addEventListener("change", () => {
      if (field.retype) this.retype(owner, input.value);
      else this.put(path, input.value === (field.d ?? "") ? undefined : input.value);
      if (field.redraw) this.redraw();
    });
    return this.labelled(input, field.l, field.h, path);
  }
  choices(ref) {
    return listOf(get(this.model, ref)).filter(isMap).map((each) => [each.key, this.nameOf(each) || each.key]);
  }
  nameOf(part) {
    const texts = isMap(part?.title) ? part.title : isMap(part?.text) ? part.text : {};
    return String(this.languages.map((language) => texts[language]).find(Boolean) ?? "");
  }
  // A question of another type keeps what questions of that type have.
  retype(question, type) {
    const own = this.data.fields.questions.filter((field) => !field.if?.type || field.if.type.includes(type)).map((field) => field.p.split(".")[0]);
    for (const name of Object.keys(question)) if (!["key", ...own].includes(name)) delete question[name];
    const fresh = structuredClone(this.data.fields.fresh[type]);
    Object.assign(question, { ...fresh, ...question, type });
    this.state.changed();
  }
  // Checkboxes for keys of other parts.
  refsField(field, path, owner) {
    const ref = field.ref === "bands" && owner?.when?.category ? `categories.${listOf(this.model.categories).findIndex((each) => each?.key === owner.when.category)}.bands` : field.ref;
    const chosen = listOf(get(this.model, path));
    const boxes = this.choices(ref).map(([key, label]) => this.box(`${path}:${key}`, label, chosen.includes(key), (on) => {
      const now = listOf(get(this.model, path)).filter((each) => each !== key).concat(on ? [key] : []);
      this.put(path, now.length ? now : undefined);
    }));
    return boxes.length ? h("fieldset", { class: "choices", id: path }, h("legend", {}, field.l), ...boxes) : null;
  }
  box(id, label, checked, change) {
    const input = h("input", { type: "checkbox", id });
    input.checked = checked;
    input.addEventListener("change", () => change(input.checked));
    return h("div", {}, input, " ", h("label", { for: id }, label));
  }
  // A number for each outcome.
  weightsField(field, path) {
    return h("div", { class: "row", id: path }, ...this.choices("outcomes").map(([key, label]) => this.numberField({ l: `${field.l}: ${label}`, d: "0" }, `${path}.${key}`)));
  }
  // What the first and the last step of a scale mean.
  endsField(field, path, owner) {
    const ends = [owner.from, owner.to].filter((end) => Number.isInteger(end));
    return h("div", { id: path }, ...ends.map((end) => this.textsField({ p: "", l: `${field.l} ${end}` }, `${path}.${end}`)));
  }
  languagesField(field, path) {
    const add = h("select", {}, h("option", { value: "" }, t("Add a language")), ...this.data.languages.filter((code) => !this.languages.includes(code)).map((code) => h("option", { value: code }, languageName(code))));
    add.addEventListener("change", () => (this.put(path, [...this.languages, add.value]), this.redraw()));
    const items = this.languages.map((code) => h("li", {}, h("button", { type: "button", class: "chip on", disabled: this.languages.length < 2, "aria-label": t("Remove %(name)s", { name: languageName(code) }), click: () => {
      forgetLanguage(this.model, code, this.languages);
      this.put(path, this.languages.filter((each) => each !== code));
      this.draw(path);
    } }, languageName(code), icon("x"))));
    return h("div", {}, this.labelled(add, field.l, field.h, path), h("ul", { class: "chips" }, ...items));
  }

  listField(field, path, owner) {
    const items = listOf(get(this.model, path));
    const made = items.map((item, place) => this.item(field, path, items, item, place));
    const buttons = field.add.map(([label, fresh], number) => h("button", { type: "button", class: "secondary small", id: `${path}:add${number}`, click: () => this.add(field, path, fresh) }, icon("plus"), label));
    return h("div", { class: "field", id: path, role: "group", "aria-label": field.l }, field.title ? h("h3", {}, field.l) : null, h("div", { "data-errors": true }), ...made, h("div", { class: "buttons" }, ...buttons));
  }
  add(field, path, fresh) {
    const items = listOf(get(this.model, path));
    const item = structuredClone(fresh);
    const published = path === "questions" ? Object.keys(this.data.types) : [];
    if (field.key) item.key = freshKey(field.key, new Set([...items.map((each) => each?.key), ...published]));
    if (path === "bands" || path.endsWith(".bands")) item.from = items.length ? Math.min(100, (Number(items.at(-1)?.from) || 0) + 25) : 0;
    this.put(path, [...items, item]);
    this.opened.add(item);
    if (field.p === "outcomes" && this.model.fallback === undefined) this.model.fallback = item.key;
    this.draw();
    document.getElementById(`${path}.${items.length}`)?.querySelector("input, textarea")?.focus();
  }
  item(field, path, items, item, place) {
    const id = `${path}.${place}`;
    const name = this.nameOf(item) || item?.key || "";
    const act = (what, sign, label, disabled, work) => h("button", { type: "button", class: `${what === "delete" ? "danger" : "secondary"} small`, id: `${id}:${what}`, disabled, "aria-label": `${label}: ${place + 1}. ${name}`, title: label, click: work }, icon(sign));
    const move = (to) => () => {
      items.splice(to, 0, ...items.splice(place, 1));
      this.state.changed();
      const what = to < place ? "up" : "down";
      const button = `${path}.${to}:${what}`;
      this.draw(button);
      if (document.getElementById(button).disabled) document.getElementById(`${path}.${to}:${what === "up" ? "down" : "up"}`)?.focus();
      this.state.say(t("It is number %(place)s now.", { place: to + 1 }));
    };
    const copy = () => {
      const made = structuredClone(item);
      if (field.key) made.key = freshKey(field.key, new Set([...items.map((each) => each?.key), ...Object.keys(this.data.types)]));
      items.splice(place + 1, 0, made);
      this.opened.add(made);
      this.state.changed();
      this.draw(`${path}.${place + 1}:copy`);
    };
    const remove = () => {
      items.splice(place, 1);
      if (field.key) rename(this.model, field.p, item?.key, undefined, get(this.model, path.split(".").slice(0, -1).join(".")));
      if (!items.length) set(this.model, path, undefined);
      this.state.changed();
      this.draw(items.length ? `${path}.${Math.min(place, items.length - 1)}:delete` : `${path}:add0`);
      this.state.removed(name, () => (set(this.model, path, items.toSpliced(place, 0, item)), this.state.changed(), this.draw()));
    };
    const buttons = h("div", { class: "buttons" }, act("up", "arrow-up", t("Move up"), place === 0, move(place - 1)), act("down", "arrow-down", t("Move down"), place === items.length - 1, move(place + 1)), act("copy", "copy", t("Duplicate"), false, copy), act("delete", "trash-2", t("Delete"), false, remove));
    const fill = () => [h("div", { "data-errors": true }), ...(isMap(item) ? this.parts(this.data.fields[field.part], `${id}.`, item, id) : []), buttons];
    if (field.rows) return h("fieldset", { id, class: "field" }, h("legend", {}, `${field.noun} ${place + 1}`), ...fill());
    const kind = field.types?.[item?.type];
    const details = h("details", { id, class: "card", open: this.opened.has(item) }, h("summary", {}, h("strong", {}, `${place + 1}. ${name || field.noun}`), " ", kind ? h("small", {}, kind) : null, " ", h("span", { "data-count": true })));
    // What is closed is not drawn, so a quiz of two hundred questions is as quick as one of two.
    details.fill = () => details.childElementCount > 1 || (details.append(...fill()), this.state.drawn());
    if (this.opened.has(item)) details.append(...fill());
    details.addEventListener("toggle", () => {
      if (details.open) this.opened.add(item), details.fill();
      else this.opened.delete(item);
    });
    return details;
  }
}
