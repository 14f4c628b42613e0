// The till's page: it reads the form into the queue, wakes the sender, and shows both.
import { tellAmount, understand } from "../js/amounts.js";
import { shown } from "../js/money.js";
import { n, t } from "../js/texts.js";
import { Lately } from "./lately.js";
import { Lists } from "./lists.js";
import { Gone, LIMIT, openQueue, QueueFull } from "./queue.js";
import { Sender, SKEW_TOLERATED } from "./sender.js";
import { suggest } from "./suggest.js";
import { adviceOf, clockOf, connectionOf, countsOf, othersOf } from "./words.js";

const SHOW_MILLISECONDS = 150;
const $ = (id) => document.getElementById(id);
const root = $("till");
const form = $("entry");
const told = $("told");
// elements.item is a method of the collection, so use namedItem.
const field = (name) => form.elements.namedItem(name);
const account = { id: Number(root.dataset.account), name: root.dataset.name };
const first = field("username") ?? field("item");
const lately = new Lately(account.id);
const windows = typeof BroadcastChannel === "function" ? new BroadcastChannel("till") : null;
const queue = await openQueue();
let mending = null;
let isPersisted = null;

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- What is kept, and its way -------------------------------------------------------------------

// Only one window sends at a time. Without locks the idempotency keys alone keep purchases single.
const lock = (work) => (navigator.locks ? navigator.locks.request("till", work) : work());

const sender = new Sender({
  queue,
  account,
  fetch: (...request) => fetch(...request),
  lock,
  tell: (isSent) => {
    if (isSent) windows?.postMessage("sent");
    showSoon();
  },
});

let isShowing = false;
let last = { waiting: [], refused: [], sent: [] };

// Show everything, at most a few times a second.
function showSoon() {
  if (isShowing) return;
  isShowing = true;
  setTimeout(() => {
    isShowing = false;
    show().catch((error) => tell("bad", String(error)));
  }, SHOW_MILLISECONDS);
}

const corrected = (moment) => moment + (Math.abs(sender.skew) > SKEW_TOLERATED ? sender.skew : 0);

const lists = new Lists($("device"), $("row"), {
  mend,
  again: async (entry) => {
    await queue.change(entry.seq, (now) => (now.state === "refused" ? { ...now, state: "waiting", failures: 0 } : undefined));
    first.focus();
    changed();
  },
  drop: async (entry) => {
    // What is on its way may be recorded already, so it can no longer be dropped.
    const left = await queue.change(entry.seq, (now) => (now.state === "refused" || (now.state === "waiting" && !now.body) ? null : undefined));
    if (left) tell("bad", t("It is on its way already."));
    else if (mending?.seq === entry.seq) stopMending();
    first.focus();
    changed();
  },
});

function changed() {
  windows?.postMessage("added");
  showSoon();
  sender.wake();
}

function note(kind, text) {
  const made = document.createElement("p");
  made.className = `note ${kind}`;
  made.textContent = text;
  return made;
}

async function show() {
  const found = (last = await queue.snapshot(account.id));
  $("device").hidden = false;
  $("nothing").hidden = found.waiting.length + found.refused.length + found.sent.length > 0;
  $("connection").textContent = connectionOf(sender.state, found.waiting.length);
  $("connection").dataset.state = { idle: "live", sending: "live" }[sender.state] ?? "lost";
  const counts = countsOf(found);
  if ($("counts").textContent !== counts) $("counts").textContent = counts;
  const warnings = [adviceOf(sender.state, account.name)];
  if (!queue.isKept) warnings.push(t("This browser keeps nothing for this page. What you record is sent at once; leave the window open while something waits."));
  if (Math.abs(sender.skew) > SKEW_TOLERATED) warnings.push(clockOf(sender.skew));
  if (isPersisted === false && found.waiting.length) warnings.push(t("This browser may clear what waits if the device runs out of room."));
  for (const [name, count] of found.others) warnings.push(othersOf(name, count));
  const texts = warnings.filter(Boolean);
  if (texts.join("\n") !== $("warnings").dataset.shown) {
    $("warnings").dataset.shown = texts.join("\n");
    $("warnings").replaceChildren(...texts.map((text) => note("", text)));
  }
  $("send-now").hidden = !(found.waiting.length && ["offline", "busy"].includes(sender.state));
  $("sign-in").hidden = !["signed_out", "other_account"].includes(sender.state);
  lists.show(found, corrected);
}

windows?.addEventListener("message", ({ data }) => {
  showSoon();
  // If the other window is closed before it has sent everything, this one goes on.
  if (data === "added") sender.wake();
});
for (const event of ["online", "offline"]) addEventListener(event, () => sender.recheck());
// After a sign-in in another window somebody comes back to this one.
addEventListener("focus", () => {
  if (["signed_out", "other_account"].includes(sender.state)) sender.recheck();
});
addEventListener("beforeunload", (event) => {
  if (!queue.isKept && last.waiting.length) event.preventDefault();
});
$("send-now").addEventListener("click", () => sender.wake(true));

// --- The form ------------------------------------------------------------------------------------

function tell(kind, text, at) {
  told.replaceChildren(note(kind, text));
  for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  at?.setAttribute("aria-invalid", "true");
  at?.focus();
}

// Return the fields as the API takes them, or null after saying what is wrong.
function read() {
  const currency = field("currency").value.trim().toUpperCase();
  const price = understand(field("price").value, currency);
  if (price.problem) return void tell("bad", price.problem, field("price"));
  if (price.currencies.length && !price.currencies.includes(currency)) {
    return void tell("bad", t("The price is in %(one)s, the currency is %(other)s.", { one: price.currencies[0], other: currency }), field("currency"));
  }
  if (!/^[0-9]{1,10}(\.[0-9]{1,2})?$/.test(price.amount)) {
    return void tell("bad", t("The price is 0 or more, with at most two decimals."), field("price"));
  }
  const quantity = field("quantity").value.trim();
  if (!/^[0-9]{1,7}$/.test(quantity) || Number(quantity) < 1 || Number(quantity) > 1_000_000) {
    return void tell("bad", t("The quantity is a whole number from 1 to 1000000."), field("quantity"));
  }
  const fields = { item: field("item").value.trim(), quantity: Number(quantity), price: price.amount, currency };
  for (const name of ["username", "userid"]) {
    const value = field(name)?.value.trim();
    if (value) fields[name] = value;
  }
  return fields;
}

let isAdding = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isAdding) return;
  const fields = read();
  if (!fields) return;
  isAdding = true;
  try {
    const entry = { key: newKey(), account: account.id, name: account.name, fields, typed_at: mending?.typed_at ?? Date.now() };
    const added = await queue.add(entry, mending?.seq ?? null);
    const amount = shown(fields.price, fields.currency);
    tell(added.kept ? "good" : "bad", added.kept ? t("Kept: %(what)s", { what: [fields.item, amount].filter(Boolean).join(", ") }) : t("This device has no room for it. It is sent at once; leave the window open until it has arrived."));
    lately.add("items", fields.item, { price: fields.price, currency: fields.currency });
    if (fields.username) lately.add("customers", fields.username, { userid: fields.userid });
    clear();
    changed();
    keepForGood();
  } catch (error) {
    if (error instanceof QueueFull) tell("bad", n("%(count)s entry waits on this device, which is the most it keeps. Connect it, then record this.", "%(count)s entries wait on this device, which is the most it keeps. Connect it, then record this.", LIMIT));
    else if (error instanceof Gone) {
      stopMending();
      tell("bad", t("It was mended or dropped in another window."));
    } else tell("bad", String(error));
  } finally {
    isAdding = false;
  }
});

function clear() {
  stopMending();
  for (const name of ["username", "userid", "item", "price"]) if (field(name)) field(name).value = "";
  field("quantity").value = "1";
  for (const input of [field("price"), first]) input.dispatchEvent(new Event("input"));
  showItems();
  first.focus();
}

function mend(entry) {
  mending = entry;
  for (const name of ["username", "userid", "item", "price", "quantity", "currency"]) {
    if (field(name)) field(name).value = entry.fields[name] ?? "";
  }
  field("price").dispatchEvent(new Event("input"));
  $("stop-mending").hidden = false;
  tell("", t("Mend it and press Record. It keeps the time at which it was typed."));
  if ($("new-customer")) $("new-customer").hidden = !entry.errors?.some(({ code, attr }) => code === "unknown_customer" || attr === "userid");
  (field(entry.errors?.[0]?.attr ?? "") ?? first).focus();
}

function stopMending() {
  mending = null;
  $("stop-mending").hidden = true;
}

$("stop-mending").addEventListener("click", () => {
  told.replaceChildren();
  clear();
});

tellAmount(field("price"), $("price-understood"), field("currency"));

// --- What was typed lately -------------------------------------------------------------------------

function showItems() {
  const items = lately.list("items");
  $("lately").hidden = !items.length;
  $("items").replaceChildren(
    ...items.map((item, at) => {
      const line = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      const key = document.createElement("kbd");
      key.textContent = `Alt ${at + 1}`;
      const name = document.createElement("bdi");
      name.textContent = item.name;
      button.append(key, " ", name, " ", shown(item.price, item.currency));
      button.setAttribute("aria-keyshortcuts", `Alt+${at + 1}`);
      button.addEventListener("click", () => take(item));
      line.append(button);
      return line;
    }),
  );
}

function take(item) {
  field("item").value = item.name;
  field("price").value = item.price;
  field("currency").value = item.currency;
  field("price").dispatchEvent(new Event("input"));
  field("quantity").focus();
  field("quantity").select();
}

addEventListener("keydown", (event) => {
  // Some keyboards type a letter with Alt, so this compares the key and not the letter.
  const digit = event.altKey && !event.ctrlKey && !event.metaKey && /^Digit([1-9])$/.exec(event.code);
  const item = digit && lately.list("items")[Number(digit[1]) - 1];
  if (!item) return;
  event.preventDefault();
  take(item);
});

if (field("username")) {
  const hint = $("customer-hint");
  const usual = hint.textContent;
  const unknown = (isUnknown) => {
    hint.textContent = isUnknown ? t("No customer has this name. With a userid it makes a new one.") : usual;
    $("new-customer").hidden = !isUnknown;
  };
  unknown(field("userid").value !== "");
  suggest(field("username"), $("customers"), field("userid"), unknown, async (text) => {
    try {
      const response = await fetch(`/till/customers/?q=${encodeURIComponent(text)}`, { redirect: "error", signal: AbortSignal.timeout(3000) });
      return (await response.json()).customers ?? [];
    } catch {
      // Without a connection those of this device are suggested.
      const start = text.toLowerCase();
      const known = lately.list("customers").map(({ name, userid }) => ({ username: name, userid: userid ?? "" }));
      const like = known.filter(({ username, userid }) => username.toLowerCase().startsWith(start) || userid.startsWith(text));
      return Object.assign(like.slice(0, 8), { isPart: true });
    }
  });
}

// --- The device ------------------------------------------------------------------------------------

// Ask the browser not to clear what waits. It may ask back, so this comes after the first entry.
async function keepForGood() {
  if (isPersisted !== null || !navigator.storage?.persist) return;
  isPersisted = (await navigator.storage.persisted()) || (await navigator.storage.persist());
  showSoon();
}

// Without a service worker the page needs a connection to start, and nothing else is missing.
navigator.serviceWorker?.register("/till/worker.js", { scope: "/till/" }).catch(() => {});

showItems();
first.focus();
showSoon();
sender.wake();
