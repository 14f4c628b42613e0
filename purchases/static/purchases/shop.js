// Buy without leaving the page. The server answers with the form's copy: empty after a purchase, or
// with what is wrong. The key changes only with an answer, so a retry never records twice.
import { number, shown } from "../js/money.js";
import { t } from "../js/texts.js";
import { showFeed } from "./feed.js";

const section = document.querySelector(".shop-buy");
const result = document.getElementById("buy-result");
const form = () => document.getElementById("buy");
// elements.item is a method of the collection, so use namedItem.
const field = (name) => form().elements.namedItem(name);
const WAIT = {
  429: () => t("That was too often. Wait a moment, then press Buy again."),
  503: () => t("The shop is busy. Nothing is lost: press Buy again in a moment, it is recorded once at most."),
};
let busy = false;
let amounts; // The module that understands amounts, once somebody has typed one.

function tell(kind, ...content) {
  const note = document.createElement("p");
  note.className = `note ${kind}`;
  note.append(...content);
  result.replaceChildren(note);
}

function link(text, href) {
  const element = document.createElement("a");
  element.href = href;
  element.textContent = text;
  return element;
}

// Show the total before anything is sent.
async function tellTotal() {
  if (!amounts && field("price").value.trim()) amounts = await import("../js/amounts.js").catch(() => undefined);
  const output = document.getElementById("buy-total");
  const price = field("price").value.trim();
  const quantity = field("quantity").value.trim();
  const found = (price && amounts?.understand(price, field("currency").value)) || {};
  const [whole, decimals = ""] = (found.amount ?? "-").split(".");
  output.textContent = "";
  if (whole.startsWith("-") || decimals.length > 2 || !/^[0-9]{1,7}$/.test(quantity)) return;
  const hundredths = String(BigInt(whole + decimals.padEnd(2, "0")) * BigInt(quantity)).padStart(3, "0");
  const total = `${hundredths.slice(0, -2)}.${hundredths.slice(-2)}`;
  output.textContent = t("Total: %(total)s", { total: found.currency ? shown(total, found.currency) : number(total) });
}

function beginForm() {
  amounts?.tellAmount(field("price"), document.getElementById("price-understood"), field("currency"));
  tellTotal();
  const customer = field("username");
  if (customer) import("./suggest.js").then(({ suggestCustomers }) => suggestCustomers(customer)).catch(() => {});
}

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
const send = () => fetch(form().action, { method: "POST", body: new FormData(form()), headers: { "X-Part": "buy" } });

// A sign-in or sign-out in another window changes the token, and perhaps the account. Return the
// name of who is signed in now, or nothing.
async function refreshToken() {
  const fresh = (await parsed(await fetch(form().action, { headers: { "X-Part": "buy" } }))).getElementById("buy");
  if (fresh) field("csrfmiddlewaretoken").value = fresh.elements.namedItem("csrfmiddlewaretoken").value;
  return fresh?.dataset.username;
}

function askToSignIn() {
  const typed = new FormData(form());
  for (const name of ["csrfmiddlewaretoken", "idempotency_key"]) typed.delete(name);
  const back = new URLSearchParams({ next: `/?${new URLSearchParams(typed)}` });
  tell("bad", t("You are signed out. What you typed is kept."), " ", link(t("Sign in again"), `/accounts/login/?${back}`));
}

async function buy() {
  let answer = await send();
  let page = await parsed(answer);
  if (answer.status === 403 && !page.getElementById("buy")) {
    const username = await refreshToken();
    if (!username) return askToSignIn();
    if (username !== form().dataset.username) return tell("bad", t("Another account has signed in here. Reload the page to go on."));
    answer = await send();
    page = await parsed(answer);
  }
  if (answer.status === 429 || answer.status >= 500) {
    return tell("bad", WAIT[answer.status]?.() ?? t("Something went wrong here. Press Buy again: it is recorded once at most."));
  }
  const renewed = page.getElementById("buy");
  if (!renewed) return tell("bad", page.querySelector("main p")?.textContent ?? t("This cannot be recorded."));
  form().replaceWith(document.importNode(renewed, true));
  beginForm();
  if (answer.ok) {
    const recorded = page.getElementById("buy-recorded");
    tell("good", recorded.textContent.trim(), " ", link(t("View"), recorded.dataset.url));
    field("item").focus();
  } else {
    result.replaceChildren();
    document.getElementById("errors").focus();
  }
  return undefined;
}

section.addEventListener("input", tellTotal);
section.addEventListener("submit", async (event) => {
  if (event.target !== form()) return;
  event.preventDefault();
  if (busy) return;
  busy = true;
  const button = document.getElementById("buy-button");
  const label = button.textContent;
  button.classList.add("is-busy");
  button.textContent = t("Recording");
  try {
    await buy();
  } catch {
    tell("bad", t("There was no answer. Press Buy again: it is recorded once at most."));
  } finally {
    busy = false;
    button.classList.remove("is-busy");
    button.textContent = label;
  }
});

beginForm();
showFeed();
