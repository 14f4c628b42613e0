// The editor of a quiz: a form or JSON, saved and checked while one types. Nothing typed is lost: it
// waits on the device until the server has it. Without this script the JSON is a form.
import { toast } from "../../js/toast.js";
import { n, t } from "../../js/texts.js";
import { h } from "./elements.js";
import { differences, isMap } from "./model.js";

// The form is large, so it comes when the page stands already.
const { Form } = await import("./form.js");

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("editor-data").textContent);
const text = $("definition");
const PLACE = `quiz:${data.id}`;
const PAUSE = 800;
const RETRY = 5000;

let revision = data.revision;
let dirty = false;
let saving = null;
let timer;
let theirs = null;
let problems = { errors: [], warnings: [] };

const stored = (act) => {
  try {
    return act(localStorage);
  } catch {
    return null; // Some browsers keep nothing.
  }
};
const say = (message, kind = "") => {
  $("saved").textContent = message;
  $("saved").dataset.state = kind;
};
const send = (url, method, body, headers = {}) =>
  fetch(url, { method, body, headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content, ...headers } }).catch(() => null);

const state = {
  model: data.definition,
  changed() {
    dirty = true;
    stored((place) => place.setItem(PLACE, JSON.stringify({ user: document.body.dataset.user, revision, model: state.model })));
    if (!$("editor").hidden) text.value = JSON.stringify(state.model, null, 2);
    say(t("Not saved yet"));
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  },
  drawn: () => mark(),
  say: (message) => ($("said").textContent = message),
  removed(name, undo) {
    const element = toast(t("“%(name)s” is deleted.", { name }));
    element.querySelector("span").after(h("button", { type: "button", class: "quiet small", click: () => (element.remove(), undo()) }, t("Undo")));
  },
};
const form = new Form($("fields"), data, state);

async function save() {
  clearTimeout(timer);
  if (saving) await saving;
  if (!dirty || theirs) return !dirty;
  saving = put();
  const done = await saving;
  saving = null;
  return done;
}

async function put() {
  dirty = false;
  say(t("Saving…"));
  const answer = await send(data.urls.draft, "PUT", JSON.stringify(state.model), { "If-Match": `"${revision}"` });
  if (answer?.ok) {
    revision = Number(answer.headers.get("ETag").replace(/\D/g, ""));
    $("revision").value = revision;
    if (!dirty) stored((place) => place.removeItem(PLACE));
    say(t("Saved"), "live");
    check();
    return true;
  }
  dirty = true;
  if (answer?.status === 412) return conflict(), false;
  if (answer?.status === 400) {
    const { errors } = await answer.json().catch(() => ({ errors: [] }));
    return say(t("Not saved: %(reason)s", { reason: errors[0]?.detail ?? "400" }), "lost"), false;
  }
  const reason = answer?.status === 401 || answer?.status === 403 ? t("Not saved: you may not change this quiz, or you are signed out. It is kept on this device.") : t("Not saved: there is no connection. It is kept on this device and sent again.");
  say(reason, "lost");
  timer = setTimeout(save, RETRY);
  return false;
}

// Somebody else saved meanwhile. Both versions are there until the reader has chosen.
async function conflict() {
  say(t("Not saved: somebody else changed the quiz."), "lost");
  const answer = await fetch(data.urls.draft).catch(() => null);
  if (!answer?.ok) return void (timer = setTimeout(save, RETRY));
  theirs = { model: await answer.json(), revision: Number(answer.headers.get("ETag").replace(/\D/g, "")) };
  const places = differences(state.model, theirs.model);
  if (!places.length) return settle(theirs.model);
  $("conflict-places").textContent = places.join(", ");
  $("conflict").hidden = false;
  $("conflict").focus();
}
function settle(model) {
  const mine = state.model;
  revision = theirs.revision;
  dirty = model === mine;
  theirs = null;
  $("conflict").hidden = true;
  if (!dirty) stored((place) => place.removeItem(PLACE));
  use(model);
  if (dirty) return save();
  $("mine").hidden = JSON.stringify(mine) === JSON.stringify(model);
  $("mine-text").value = JSON.stringify(mine, null, 2);
  say(t("Saved"), "live");
  check();
}
$("keep-mine").addEventListener("click", () => settle(state.model));
$("take-theirs").addEventListener("click", () => settle(theirs.model));

function use(model) {
  state.model = model;
  text.value = JSON.stringify(model, null, 2);
  form.draw();
}

// What publishing would say, each beside its field.
async function check() {
  const answer = await send(data.urls.check, "POST", JSON.stringify({ definition: state.model }));
  if (!answer?.ok) return;
  problems = await answer.json();
  mark();
  const { errors, warnings, reach } = problems;
  $("count").textContent = errors.length ? n("%(count)s thing to correct before it can be published", "%(count)s things to correct before it can be published", errors.length) : t("It can be published.");
  const line = (problem, sentence) => h("li", {}, h("a", { href: `#${problem.attr ?? "fields"}`, click: (event) => (event.preventDefault(), reveal(problem.attr ?? "")) }, sentence));
  $("problems").replaceChildren(...errors.slice(0, 30).map((each) => line(each, told(each))), ...warnings.slice(0, 10).map((each) => line(each, t("Worth a look: %(what)s", { what: told(each) }))));
  const [low, high] = reach.points ?? [];
  const named = new Map(form.choices("outcomes"));
  const outcomes = Object.entries(reach.outcomes ?? {}).map(([key, ends]) => `${named.get(key) ?? key} ${ends.join("–")}`).join(", ");
  $("reach").textContent = low === undefined ? "" : [t("Points from %(low)s to %(high)s.", { low, high }), outcomes && t("Weights: %(outcomes)s.", { outcomes })].filter(Boolean).join(" ");
}
// Where it is, as people count: "Question 4, Option 2: …".
const told = (problem) => {
  const places = [...(problem.attr ?? "").matchAll(/([a-z]+)\.(\d+)/g)].filter(([, part]) => data.parts[part]).map(([, part, number]) => `${data.parts[part]} ${Number(number) + 1}`);
  return [places.join(", "), words(problem)].filter(Boolean).join(": ");
};
const words = (problem) => data.words[problem.code] ?? inWords(problem.detail);
// The check tells faults in English. Each sentence comes with the reader's, and with names for what it is about.
const BLANK = /%\((\w+)\)s/;
const patterns = data.sentences.map(([english, said]) => [new RegExp(`^${english.split(BLANK).map((part, n) => (n % 2 ? `(?<${part}>[^]+)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))).join("")}$`), said]);
function inWords(detail) {
  for (const [pattern, said] of patterns) {
    const found = pattern.exec(detail);
    if (found) return said.replace(new RegExp(BLANK, "g"), (_, name) => found.groups[name]);
  }
  return detail;
}

// Find what a place names, or the nearest thing around it.
function nearest(attr) {
  for (let place = attr; place; place = place.slice(0, Math.max(0, place.lastIndexOf(".")))) if ($(place)) return $(place);
  return $("fields");
}
function mark() {
  for (const each of document.querySelectorAll("#fields .error")) each.remove();
  for (const each of document.querySelectorAll("#fields [aria-invalid]")) each.removeAttribute("aria-invalid"), each.removeAttribute("aria-errormessage");
  const counts = new Map();
  problems.errors.forEach((problem, number) => {
    const place = problem.attr ?? "";
    const found = nearest(place);
    const item = /^questions\.\d+/.exec(place)?.[0];
    if (item) counts.set(item, (counts.get(item) ?? 0) + 1);
    const message = h("p", { class: "error", id: `problem-${number}` }, words(problem));
    if (found.matches("input, textarea, select")) {
      found.setAttribute("aria-invalid", "true");
      found.setAttribute("aria-errormessage", message.id);
      found.after(message);
    } else (found.querySelector(":scope > [data-errors]") ?? found).append(message);
  });
  for (const badge of document.querySelectorAll("#fields [data-count]")) {
    const count = counts.get(badge.closest("details").id);
    badge.replaceChildren(...(count ? [h("span", { class: "badge bad" }, n("%(count)s to correct", "%(count)s to correct", count))] : []));
  }
}
function reveal(attr) {
  show("form");
  for (let step = 0; step < 4; step++) {
    const found = nearest(attr);
    const closed = found.matches("details:not([open])") ? found : found.closest("details:not([open])");
    if (!closed) break;
    closed.open = true;
    closed.fill?.();
  }
  const found = nearest(attr);
  const field = found.matches("input, textarea, select") ? found : (found.querySelector("input, textarea, select, button") ?? found);
  field.focus();
}

// The form, or JSON; both ways.
function show(name) {
  const asForm = name === "form";
  if (asForm && text.getAttribute("aria-invalid")) return toast(t("Correct the JSON first."), "error");
  $("editor").hidden = !asForm;
  $("json").hidden = asForm;
  for (const each of ["form", "json"]) $(`show-${each}`).setAttribute("aria-pressed", String(each === name));
  if (asForm) form.draw();
}
for (const name of ["form", "json"]) $(`show-${name}`).addEventListener("click", () => show(name));
text.addEventListener("input", () => {
  let found = null;
  try {
    found = JSON.parse(text.value);
  } catch {
    // Somebody is typing.
  }
  if (isMap(found)) {
    text.removeAttribute("aria-invalid");
    state.model = found;
    state.changed();
  } else {
    text.setAttribute("aria-invalid", "true");
    say(t("This is not JSON yet, so it is not saved."), "lost");
  }
});

// Whatever leads elsewhere waits until everything is saved.
for (const link of document.querySelectorAll("[data-saved]"))
  link.addEventListener("click", async (event) => {
    if (!dirty && !saving) return;
    event.preventDefault();
    if (await save()) location.href = link.href;
  });
addEventListener("online", save);
addEventListener("beforeunload", (event) => {
  if (dirty && !stored((place) => place.getItem(PLACE))) event.preventDefault();
});

for (const each of document.querySelectorAll("[data-scripted]")) each.hidden = false;
$("save-json").hidden = true;
const kept = stored((place) => JSON.parse(place.getItem(PLACE)));
if (kept?.user === document.body.dataset.user && isMap(kept.model) && differences(kept.model, state.model).length) {
  state.model = kept.model;
  dirty = true;
  toast(t("What you had changed is here again."));
  if (kept.revision === revision) save();
  else conflict();
}
text.value = JSON.stringify(state.model, null, 2);
show("form");
if (!dirty && !saving) say(t("Saved"), "live");
check();
