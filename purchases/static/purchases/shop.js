// Buy without leaving the page. The key changes only after an answer, so a retry after a failure
// can never record twice.
import { shown, typedAmount } from "../js/money.js";
import { cell, time } from "./rows.js";

const form = document.getElementById("buy");
const button = document.getElementById("buy-button");
const result = document.getElementById("buy-result");
// elements.item is a method of the collection, so use namedItem.
const field = (name) => form.elements.namedItem(name);
const key = field("idempotency_key");
const token = field("csrfmiddlewaretoken").value;

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function tell(kind, text) {
  const note = document.createElement("p");
  note.className = `note ${kind}`;
  note.textContent = text;
  result.replaceChildren(note);
}

function mark(errors) {
  for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  for (const error of errors) field(error.attr ?? "")?.setAttribute("aria-invalid", "true");
}

// Put the typed price into plain digits. Return what is wrong with it, or nothing.
function readPrice(body) {
  if (body.currency) body.currency = body.currency.toUpperCase();
  if (!body.price) return null;
  const typed = typedAmount(body.price);
  // A price that could mean two amounts is not guessed.
  if (!typed) return "price: Write it in digits, such as 1195.30 or 1.195,30.";
  if (typed.currencies.length) {
    body.currency ??= typed.currencies[0];
    if (!typed.currencies.includes(body.currency)) return `price: It is in ${typed.currencies[0]}, the currency is ${body.currency}.`;
  }
  body.price = typed.amount;
  return null;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  const body = {};
  for (const name of ["item", "quantity", "price", "currency", "timestamp", "username", "userid"]) {
    const value = field(name)?.value.trim();
    if (value) body[name] = value;
  }
  const problem = readPrice(body);
  if (problem) {
    tell("bad", problem);
    mark([{ attr: "price" }]);
    button.disabled = false;
    return;
  }
  try {
    const response = await fetch("/api/v1/purchases/", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token, "Idempotency-Key": key.value },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.ok) {
      const verb = response.headers.get("Idempotent-Replayed") ? "Was already recorded" : "Recorded";
      tell("good", `${verb}: ${shown(answer.total, answer.currency)}.`);
      mark([]);
      key.value = newKey();
      field("item").focus();
    } else {
      tell("bad", answer.errors.map((error) => (error.attr ? `${error.attr}: ${error.detail}` : error.detail)).join(" "));
      mark(answer.errors);
      if (response.status < 500 && response.status !== 429) key.value = newKey();
    }
  } catch {
    tell("bad", "There was no answer. Press Buy again: it is recorded once at most.");
  } finally {
    button.disabled = false;
  }
});

document.getElementById("all-buys").addEventListener("click", async () => {
  const section = document.getElementById("all");
  const rows = document.getElementById("all-rows");
  const count = document.getElementById("all-count");
  section.hidden = false;
  try {
    const response = await fetch(`/getAllUserBuys/${encodeURIComponent(form.dataset.username)}`);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.message);
    const shown = answer.purchases.slice(-1000).reverse();
    rows.replaceChildren(
      ...shown.map((purchase) => {
        const row = document.createElement("tr");
        row.append(time(purchase.timestamp), cell(purchase._id), cell(purchase.price, "number"));
        return row;
      }),
    );
    const total = answer.purchases.length;
    count.textContent = total > shown.length ? `The last ${shown.length} of ${total} purchases.` : `${total} purchases.`;
  } catch (error) {
    count.textContent = `The list could not be loaded: ${error.message}`;
  }
  section.focus();
});
