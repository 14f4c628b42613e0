// What every page does: keys, forms that are sent once, rows that are links, copying, the theme.
import { giveBack, keep } from "./kept.js";
import { adopt, toast } from "./toast.js";
import { t } from "./texts.js";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

for (const each of $$(".toasts .toast")) adopt(each);
$("[data-focus]")?.focus();
if (giveBack()) toast(t("What you had typed is here again. It has not been sent."));

// On a phone tabs are one line that scrolls; the present one is in sight.
for (const tab of $$(".tabs [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - 99;

// The keys: "/" and Ctrl-K go to the search. The palette listens to the event and may prevent it.
const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]");
document.addEventListener("keydown", (event) => {
  const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target);
  const k = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (!slash && !k) return;
  const search = $("#search");
  if (!search) return;
  event.preventDefault();
  if (!document.dispatchEvent(new CustomEvent("shop:search", { cancelable: true }))) return;
  if (search.offsetParent) search.focus(), search.select();
  else location.href = search.form.action;
});

// The list of what is found comes with the first visit to the field, because most pages see none.
// Without it the form leads to the page of the search.
for (const input of document.body.dataset.user ? $$("#search, #q-everything") : []) {
  const begin = () => import("./search.js").then(({ Palette }) => new Palette(input)).catch(() => {});
  if (document.activeElement === input) begin();
  else input.addEventListener("focus", begin, { once: true });
}

// A form is sent once. Its button says so until an answer comes, or the reader comes back to it.
const sent = new Set();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.target) return;
  if (sent.has(form)) return event.preventDefault();
  sent.add(form);
  keep(form);
  form.setAttribute("aria-busy", "true");
  const button = event.submitter ?? $("button:not([type=button])", form);
  if (!button) return;
  button.classList.add("is-busy");
  button.setAttribute("aria-disabled", "true");
  if (button.dataset.busy) {
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
  }
});
addEventListener("pageshow", () => {
  for (const form of sent) {
    form.removeAttribute("aria-busy");
    for (const button of $$(".is-busy", form)) {
      button.classList.remove("is-busy");
      button.removeAttribute("aria-disabled");
      if (button.dataset.idle) button.textContent = button.dataset.idle;
    }
  }
  sent.clear();
});

// A click anywhere in a row follows the row's link, unless it selects text or hits something else.
document.addEventListener("click", (event) => {
  const row = event.target.closest("tr:has(a.row)");
  if (!row || event.target.closest("a, button, input, select, label, summary, time[tabindex]")) return;
  if (String(getSelection()) || event.defaultPrevented) return;
  const link = $("a.row", row);
  if (event.ctrlKey || event.metaKey) open(link.href, "_blank", "noopener");
  else link.click();
});

// Buttons that copy a text, or the address of the page.
for (const button of $$("[data-copy]")) button.hidden = false;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy || location.href);
    toast(t("Copied."), "success");
  } catch {
    toast(t("The browser did not allow copying."), "error");
  }
});
// An amount is copied as a plain decimal.
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  const within = selection.rangeCount ? selection.getRangeAt(0).commonAncestorContainer : null;
  const element = within?.nodeType === Node.TEXT_NODE ? within.parentElement : within;
  const money = element?.closest?.("data.money") ?? element?.querySelector?.("data.money");
  if (!money || String(selection).trim() !== money.textContent.trim()) return;
  event.clipboardData.setData("text/plain", money.value);
  event.preventDefault();
});

// The theme changes at once, and the account keeps it.
for (const form of $$("[data-theme-form]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const theme = event.submitter.value;
    const body = new FormData(form, event.submitter);
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    document.body.dataset.theme = theme;
    for (const button of $$("button", form)) button.setAttribute("aria-pressed", String(button.value === theme));
    const answer = await fetch(form.action, { method: "POST", body }).catch(() => null);
    if (!answer?.ok) toast(t("The theme could not be kept. It holds for this page."), "error");
  });
}
