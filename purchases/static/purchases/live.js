// The live view of staff: how fast purchases come, what they add up to since the page was opened,
// a pause, and filters.
import { money, number } from "../js/money.js";
import { t } from "../js/texts.js";
import { showFeed } from "./feed.js";

const MINUTE_MS = 60_000;
const TICK_MS = 1000;
const find = (name) => document.querySelector(`[data-live=${name}]`);
const filters = document.getElementById("live-filters");
const pause = document.getElementById("live-pause");
const rows = document.querySelector("[data-feed=rows]");
// How many purchases came in each of the last seconds.
const seconds = new Map();
// The sum of each currency in hundredths, which are exact as whole numbers.
const sums = new Map();
let count = 0;

const typed = (name) => filters.elements.namedItem(name).value.trim().toLowerCase();

function fits(customer, userid, item) {
  const [who, what] = [typed("customer"), typed("item")];
  const isCustomer = !who || customer.toLowerCase().includes(who) || userid.toLowerCase() === who;
  return isCustomer && (!what || item.toLowerCase().includes(what));
}

function plain(hundredths) {
  const digits = String(hundredths).padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function tick() {
  const oldest = Math.floor((Date.now() - MINUTE_MS) / 1000);
  let rate = 0;
  for (const [second, recorded] of seconds) {
    if (second <= oldest) seconds.delete(second);
    else rate += recorded;
  }
  find("rate").textContent = number(rate);
  find("count").textContent = number(count);
  if (!sums.size) return;
  const amounts = [...sums].sort((one, other) => (one[1] < other[1] ? 1 : -1));
  find("sums").replaceChildren(
    ...amounts.map(([currency, sum]) => {
      const line = document.createElement("li");
      line.append(money(plain(sum), currency));
      return line;
    }),
  );
}

const feed = showFeed(undefined, {
  accepts: (purchase) => fits(purchase.username, purchase.userid, purchase.item),
  onPurchases: (purchases) => {
    for (const purchase of purchases) {
      const sum = BigInt(purchase.total.replace(".", ""));
      sums.set(purchase.currency, (sums.get(purchase.currency) ?? 0n) + sum);
    }
    const second = Math.floor(Date.now() / 1000);
    seconds.set(second, (seconds.get(second) ?? 0) + purchases.length);
    count += purchases.length;
  },
});

pause.addEventListener("click", () => {
  feed.paused = !feed.paused;
  pause.setAttribute("aria-pressed", String(feed.paused));
  pause.querySelector("span").textContent = feed.paused ? t("Go on") : t("Pause");
});

function filter() {
  for (const row of rows.children) {
    const text = (name) => row.querySelector(`[data-part=${name}]`);
    row.hidden = !fits(text("username").textContent, text("customer").title, text("item-name")?.textContent ?? "");
  }
  const query = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filter();
tick();
setInterval(tick, TICK_MS);
for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
