// Rows of purchases, made of the page's <template id="purchase-row">, which the server renders from
// the same partial as its own rows. All values become text, never markup.
import { money, number } from "../js/money.js";
import { time } from "../js/times.js";

const NIL = "00000000-0000-0000-0000-000000000000";

export function purchaseRow(purchase, template = document.getElementById("purchase-row")) {
  const row = template.content.firstElementChild.cloneNode(true);
  const part = (name) => row.querySelector(`[data-part=${name}]`);
  const say = (name, text) => {
    const element = part(name);
    if (element) element.textContent = text;
  };
  row.dataset.id = purchase.id;
  const detail = part("detail");
  detail.href = detail.getAttribute("href").replace(NIL, purchase.id);
  detail.replaceChildren(time(purchase.timestamp));
  const customer = part("customer");
  if (customer) {
    customer.title = purchase.userid;
    customer.href = customer.dataset.base.replace("USERID", encodeURIComponent(purchase.userid));
    say("username", purchase.username);
  }
  const item = part("item");
  if (purchase.item) {
    item.title = purchase.item;
    item.href = `${item.dataset.base}${encodeURIComponent(purchase.item)}`;
    say("item-name", purchase.item);
  } else {
    item.replaceWith("–");
  }
  say("quantity", number(purchase.quantity));
  part("price").replaceChildren(money(purchase.price, purchase.currency));
  part("total").replaceChildren(money(purchase.total, purchase.currency));
  return row;
}

// The arrow keys go from row to row.
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = event.target.closest?.("tr[data-id]");
  if (!step || !row) return;
  let next = row[step];
  while (next?.hidden) next = next[step];
  const link = next?.querySelector("[data-part=detail]");
  if (!link) return;
  event.preventDefault();
  link.focus();
});
