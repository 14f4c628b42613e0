// The player: one question at a time, kept on the device at each change, sent when it can be.
import { element, elements } from "./blocks.js";
import { Fault, mark, missing, read, shuffle, write } from "./fields.js";
import { tellHeight } from "./frame.js";
import { forgetPage, keepPage } from "./offline.js";
import { outlook, path } from "./path.js";
import { shown } from "./result.js";
import { newId, newSecret, Sender } from "./sender.js";
import { openStore } from "./store.js";

const SEND_AFTER = 2000;
const CONTACT_WORDS = new Set(["email", "name", "consent_changed"]);
const data = JSON.parse(document.getElementById("quiz-data").textContent);
const $ = (id) => document.getElementById(id);
const { questions = [] } = data.definition ?? {};
const boxes = new Map(questions.map(({ key }) => [key, $(`q-${key}`)]));
const form = $("questions");

let language = document.documentElement.lang;
let store;
let sender;
let record = null;
let at = questions[0]?.key;
let since = performance.now();
let timer;
let drawn = "";

const word = (name, values = {}) => (data.words[language][name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
// The player speaks fewer languages than quizzes do; its words say which one they are in.
const spoken = () => (data.spoken[language] ? { lang: data.spoken[language], dir: "ltr" } : {});
const answersNow = () => record?.answers ?? {};
const isOver = () => record !== null && record.state !== "open";

// --- what is kept ---------------------------------------------------------------------------------

const fresh = () => ({
  id: data.attempt || newId(),
  secret: newSecret(),
  version: data.version,
  language,
  rev: 0,
  sent: 0,
  began: Date.now(),
  answers: {},
  at,
  times: {},
  source: data.source,
  state: "open",
  result: null,
  contact: null,
});

// Change what is kept, as the next state. Another window may have finished it meanwhile.
async function keep(change) {
  record = await store.update((now) => {
    const next = now ?? fresh();
    if (next.state !== "open") return undefined;
    change(next);
    next.rev += 1;
    return next;
  });
  hold();
  tell();
}

// The page opens without a connection as long as an attempt is open.
function hold() {
  if (data.preview || !data.definition) return;
  if (record && record.state !== "finished") keepPage(data, record.version);
  else forgetPage(data);
}

function keepAnswer(key, value) {
  return keep((next) => {
    if (value === undefined) delete next.answers[key];
    else next.answers[key] = value;
    next.at = at;
    next.language = language;
  });
}

function spent() {
  const now = performance.now();
  const milliseconds = Math.round(now - since);
  since = now;
  return milliseconds;
}

// --- what is shown --------------------------------------------------------------------------------

function say(kind, sentence, button) {
  const note = $("note");
  note.className = `note ${kind}`;
  note.hidden = !sentence;
  const wanted = sentence + (button?.textContent ?? "");
  if (note.textContent !== wanted) note.replaceChildren(sentence, ...(button ? [button] : []));
}

function button(name, act) {
  const made = element("button", { type: "button", className: "secondary small", textContent: word(name) });
  made.addEventListener("click", act);
  return made;
}

const retry = () => button("retry", () => sender.wake(true));

// Say where the answers are, if they are not where they should be.
function tell(errors) {
  if (errors) refused(errors);
  const waits = record && record.state !== "finished" && (record.rev > record.sent || record.state === "finishing");
  const { state } = sender ?? {};
  if (state === "changed") say("warn", word("changed"), button("again", again));
  else if (state === "closed") say("warn", word("closed"));
  else if (state === "refused") say("bad", word("refused"), retry());
  else if (waits && !store.isKept) say("warn", word("unkept"), state === "offline" ? retry() : null);
  else if (waits && (state === "offline" || state === "busy")) say("warn", word("kept"), retry());
  else if (record && !store.isKept && record.state === "open") say("warn", word("unkept"));
  else say("", "");
  $("sending").hidden = record?.state !== "finishing";
}

function refused(errors) {
  const first = errors.find(({ attr }) => boxes.has(attr?.split(".")[1]));
  for (const { attr, code, detail } of errors) {
    const box = boxes.get(attr?.split(".")[1]);
    if (box) mark(box, data.words[language][code] ? word(code, { n: "" }) : detail);
    else if ($("contact-error")) contactRefused(code, detail);
  }
  if (first) show(first.attr.split(".")[1], true);
}

const back = () => {
  const keys = path(questions, answersNow());
  return keys[keys.indexOf(at) - 1];
};

// Show a question. Its heading takes the focus, so that a screen reader begins there.
function show(key, focused) {
  at = key;
  for (const [each, box] of boxes) box.classList.toggle("now", each === key);
  $("intro").hidden = key !== questions[0].key;
  $("back").hidden = !data.definition.settings.back || back() === undefined;
  progress();
  if (focused) {
    const box = boxes.get(key);
    (box.querySelector(".error:not([hidden])") ? (box.querySelector("input, select, textarea") ?? box) : box.querySelector("h2")).focus();
    form.scrollIntoView({ block: "nearest" });
  }
}

function progress() {
  const asked = new Set(questions.filter(({ type }) => type !== "info").map(({ key }) => key));
  const answers = answersNow();
  const { most, mayBeFewer } = outlook(questions, answers, at);
  const total = [...most].filter((key) => asked.has(key)).length;
  const keys = path(questions, answers);
  const n = keys.slice(0, keys.indexOf(at) + 1).filter((key) => asked.has(key)).length;
  $("progress-words").textContent = word(mayBeFewer ? "progress_most" : "progress", { n: Math.max(1, n), total });
  $("progress-bar").max = total;
  $("progress-bar").value = Math.max(0, n - 1);
  const isLast = keys.at(-1) === at;
  $("next").textContent = word(isLast ? "send" : "next");
}

// Say how many minutes are left, when their number changes. The server's clock decides.
function countDown() {
  const place = $("left");
  place.hidden = record?.state !== "open" || !record.began;
  if (place.hidden) return;
  const n = Math.ceil(data.definition.settings.time_limit / 60 - (Date.now() - record.began) / 60_000);
  const sentence = word(n > 1 ? "left" : n === 1 ? "left_little" : "left_none", { n });
  if (place.textContent !== sentence) place.textContent = sentence;
}

function textAt(place) {
  const texts = place.split(".").reduce((part, name) => part?.[name], data.definition);
  const found = texts && [language, ...data.definition.languages].find((each) => Object.hasOwn(texts, each));
  return found ? texts[found] : "";
}

// Write all texts in another language; the answers stay.
function speak(chosen) {
  language = chosen;
  const { documentElement: root } = document;
  root.lang = chosen;
  root.dir = data.directions[chosen];
  document.title = textAt("title");
  for (const place of document.querySelectorAll("[data-text]")) {
    const text = textAt(place.dataset.text);
    place.replaceChildren(...(typeof text === "string" ? [text] : elements(text)));
  }
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = word(place.dataset.word, place.dataset);
  for (const place of document.querySelectorAll("[data-word], [data-words]")) {
    for (const name of ["lang", "dir"]) place.removeAttribute(name);
    Object.assign(place, spoken());
  }
  for (const link of document.querySelectorAll("[data-language]")) {
    if (link.dataset.language === chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const box of boxes.values()) mark(box, "");
}

function fill() {
  for (const question of questions) {
    const box = boxes.get(question.key);
    write(question, box, answersNow()[question.key]);
    if (question.shuffle && !box.dataset.shuffled) {
      shuffle(question, box, record?.id ?? data.attempt);
      box.dataset.shuffled = "1";
    }
  }
}

// --- the end --------------------------------------------------------------------------------------

function end() {
  const { result, given } = record;
  form.hidden = true;
  $("intro").hidden = true;
  tell();
  if (record.state !== "finished") return;
  const place = $("result");
  const isNew = place.hidden;
  const isGated = result.headline === null;
  const wasAsked = !$("contact").hidden;
  // What is drawn stays, with the focus and what was unfolded: the sender tells of each of its steps.
  const content = JSON.stringify(result);
  const isDrawn = isGated || content === drawn;
  place.hidden = false;
  // What is agreed to is in the language of the result, which stays.
  if (result.language && result.language !== language) speak(result.language);
  for (const nav of document.querySelectorAll(".languages")) nav.hidden = true;
  if (!isDrawn) $("result-body").replaceChildren(...shown(result, word, spoken()));
  if (!isDrawn) drawn = content;
  $("contact").hidden = result.contact === "none" || Boolean(given);
  $("contact-ready").hidden = !isGated;
  $("given").hidden = !given;
  $("given").textContent = given ? word("given", { address: given === true ? "" : given }) : "";
  $("again").hidden = false;
  if (isNew || !isDrawn || (given && wasAsked && !isGated)) (isGated ? $("contact-ready") : place.querySelector("h2"))?.focus();
}

function contactRefused(code, detail) {
  $("contact-error").hidden = false;
  $("contact-error").textContent = CONTACT_WORDS.has(code) ? word(code) : detail;
  $("email").setAttribute("aria-invalid", "true");
  $("email").focus();
}

function give(event) {
  event.preventDefault();
  const fields = event.target.elements;
  if (!fields.email.checkValidity() || !fields.email.value.trim()) return contactRefused("email");
  if (fields.name?.required && !fields.name.value.trim()) return contactRefused("name");
  $("contact-error").hidden = true;
  $("email").removeAttribute("aria-invalid");
  const { consents = [] } = data.definition.contact ?? {};
  const contact = {
    email: fields.email.value.trim(),
    consents: Object.fromEntries(consents.map(({ key }) => [key, fields[`consent.${key}`].checked])),
    texts: Object.fromEntries(consents.map(({ key }) => [key, data.consents[key][language]])),
    website: fields.website.value,
  };
  if (fields.name?.value.trim()) contact.name = fields.name.value.trim();
  store.update((now) => Object.assign(now, { contact })).then((now) => {
    record = now;
    sender.wake(true);
  });
}

async function again() {
  await forgetPage(data);
  await store.update(() => null);
  // The page has a new id for a new attempt.
  location.replace(data.address);
}

// --- what the respondent does ---------------------------------------------------------------------

async function next(event) {
  event.preventDefault();
  const question = questions.find(({ key }) => key === at);
  const box = boxes.get(at);
  let value;
  try {
    value = read(question, box);
    const fault = missing(question, value);
    if (fault) throw fault;
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    mark(box, word(fault.word, fault.values));
    (box.querySelector("input, select, textarea") ?? box).focus();
    return;
  }
  mark(box, "");
  const before = at;
  const milliseconds = spent();
  await keep((now) => {
    if (value === undefined) delete now.answers[before];
    else now.answers[before] = value;
    now.times[before] = Math.min(86_400_000, (now.times[before] ?? 0) + milliseconds);
    const keys = path(questions, now.answers);
    const following = keys[keys.indexOf(before) + 1];
    // A required question may have been passed over by an earlier answer that was changed.
    const open = following ? null : questions.find((each) => keys.includes(each.key) && missing(each, now.answers[each.key]));
    at = following ?? open?.key ?? before;
    now.at = at;
    now.language = language;
    if (!following && !open) now.state = "finishing";
  });
  if (data.preview && record.state === "finishing") return score();
  if (isOver()) end();
  else show(at, true);
  sender?.wake(record.state === "finishing");
}

// A preview has no attempt. The server scores the plain form, and keeps nothing.
function score() {
  for (const box of boxes.values()) box.classList.add("now");
  fill();
  form.submit();
}

async function changed(event) {
  const box = event.target.closest(".question");
  const question = questions.find(({ key }) => key === box?.dataset.key);
  if (!question || isOver()) return;
  let value;
  try {
    value = read(question, box);
    mark(box, "");
  } catch {
    // It is told when they want to go on.
    return;
  }
  await keepAnswer(question.key, value);
  progress();
  clearTimeout(timer);
  timer = setTimeout(() => sender?.wake(), SEND_AFTER);
}

function goBack() {
  const key = back();
  if (key === undefined) return;
  spent();
  show(key, true);
  keep((now) => (now.at = key));
}

function choose(event) {
  event.preventDefault();
  const chosen = event.currentTarget.dataset.language;
  if (chosen === language) return;
  speak(chosen);
  if (record) isOver() ? end() : keep((now) => (now.language = chosen));
  if (!isOver()) progress();
}

// Another window, or the sender, has changed what is kept.
async function reread() {
  const before = record;
  record = await store.read();
  hold();
  if (isOver()) return end();
  if (before && !record) return location.reload();
  // The server refused to finish.
  if (form.hidden && record) form.hidden = false;
  if (record && record.rev !== before?.rev) fill();
  tell();
}

async function solve() {
  const { solved } = await import(data.solver);
  const answer = await fetch(`${data.api}challenge/`, { credentials: "omit", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const challenge = await answer.json();
  return btoa(JSON.stringify({ challenge, solution: await solved(challenge, data.worker, () => {}) }));
}

// Two windows take turns. Where a browser has no locks, or refuses them in a frame, both may send,
// which does no harm: every request can be repeated.
async function lock(work) {
  let isHeld = false;
  try {
    return await navigator.locks.request(`quiz.${data.slug}`, () => {
      isHeld = true;
      return work();
    });
  } catch (error) {
    if (isHeld) throw error;
    return work();
  }
}

// --- the beginning --------------------------------------------------------------------------------

async function start() {
  store = await openStore(data.preview ? `preview ${data.attempt}` : data.slug, reread);
  record = data.preview ? null : await store.read();
  if (record && record.version !== data.version) {
    // An attempt stays under the version that it began on.
    const place = new URL(data.address, location.href);
    place.searchParams.set("v", record.version);
    return location.replace(place);
  }
  if (!data.definition) return;
  if (!data.preview) {
    sender = new Sender({
      address: data.api,
      store,
      solve,
      lock,
      tell: async (errors) => {
        if (errors) tell(errors);
        await reread();
      },
    });
  }
  form.noValidate = true;
  for (const each of document.querySelectorAll(".question input, .question textarea, .question select")) each.removeAttribute("required");
  form.addEventListener("submit", next);
  form.addEventListener("change", changed);
  form.addEventListener("input", (event) => event.target.matches("textarea, input:not([type=radio], [type=checkbox])") && changed(event));
  $("back").addEventListener("click", goBack);
  $("contact-form").addEventListener("submit", give);
  $("again").addEventListener("click", again);
  for (const link of document.querySelectorAll("[data-language]")) link.addEventListener("click", choose);
  for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, () => sender?.wake(name === "online"));
  document.addEventListener("visibilitychange", () => sender?.wake());
  window.addEventListener("beforeunload", (event) => {
    if (record && !store.isKept && record.state !== "finished" && record.rev > record.sent) event.preventDefault();
  });
  if (record && record.language !== language && data.words[record.language]) speak(record.language);
  fill();
  if (isOver()) end();
  else {
    const keys = path(questions, answersNow());
    show(keys.includes(record?.at) ? record.at : (keys.find((key) => !Object.hasOwn(answersNow(), key)) ?? keys[0]), false);
    tell();
  }
  document.body.classList.add("ready");
  hold();
  if ($("left")) setInterval(countDown, 1000);
  sender?.wake();
  if (!data.preview && !record) fetch(`${data.api}views/`, { method: "POST", credentials: "omit", keepalive: true, headers: { "Content-Type": "application/json" }, body: JSON.stringify(data.source.ref ? { ref: data.source.ref } : {}) }).catch(() => {});
}

if (window.parent !== window && data.embed?.length) tellHeight(data.embed, $("content"));
start();
