import { shown } from "../js/money.js";

// A purchase as a table row. All values become text, never markup.
export function cell(text, className) {
  const td = document.createElement("td");
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

// Typed text, isolated from the writing direction of its surroundings.
function typed(text) {
  const td = document.createElement("td");
  const isolated = document.createElement("bdi");
  isolated.textContent = text;
  td.append(isolated);
  return td;
}

export function time(iso) {
  const td = document.createElement("td");
  const element = document.createElement("time");
  element.dateTime = iso;
  element.textContent = `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
  td.append(element);
  return td;
}

export function purchaseRow(purchase, showCustomer) {
  const row = document.createElement("tr");
  row.dataset.id = purchase.id;
  row.append(time(purchase.timestamp));
  if (showCustomer) row.append(typed(purchase.username));
  row.append(
    typed(purchase.item || "–"),
    cell(purchase.quantity, "number"),
    cell(shown(purchase.price, purchase.currency), "number"),
    cell(shown(purchase.total, purchase.currency), "number"),
  );
  return row;
}
