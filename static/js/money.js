// Amounts as pages show them; amounts.js reads those that people type. shop/core/money.py does the
// same for the server, and shop/tests/amounts.json has cases of both.
import { language } from "./texts.js";

export const WITHOUT_CENTS = new Set("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(" "));
const MORE_DECIMALS = { BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4 };
const formats = new Map();

export function style(currency) {
  const key = `${language()} ${currency}`;
  if (!formats.has(key)) {
    // While somebody types a currency, it is not one yet.
    const options = /^[A-Z]{3}$/.test(currency) ? { style: "currency", currency, currencyDisplay: currency === "XXX" ? "code" : "symbol" } : {};
    const parts = new Intl.NumberFormat(language(), options).formatToParts(1234567.5);
    const at = (type) => parts.findIndex((part) => part.type === type);
    const text = (some) => some.map((part) => part.value).join("");
    const numeric = (part) => ["integer", "group", "decimal", "fraction"].includes(part.type);
    const last = parts.findLastIndex(numeric);
    formats.set(key, {
      before: text(parts.slice(0, at("integer"))),
      after: text(parts.slice(last + 1)),
      thousands: parts[at("group")].value,
      decimal: new Intl.NumberFormat(language()).formatToParts(1.5)[1].value,
    });
  }
  return formats.get(key);
}

function parts(amount, { before, after, thousands, decimal }, decimals) {
  const [whole, fraction = ""] = String(amount).replace(/^[+-]/, "").split(".");
  const grouped = whole.replace(/^0+(?=[0-9])/, "").replace(/\B(?=([0-9]{3})+$)/g, thousands);
  const shownFraction = fraction.replace(/0+$/, "").padEnd(decimals, "0");
  const sign = String(amount).startsWith("-") ? "-" : "";
  return [sign + before + grouped, shownFraction && decimal + shownFraction, after];
}

export const written = (amount, style, decimals) => parts(amount, style, decimals).join("");

export const decimalsOf = (currency) => (WITHOUT_CENTS.has(currency) ? 0 : (MORE_DECIMALS[currency] ?? 2));

// Return an amount such as "1195.3" with its currency, as the page's language writes it. Nothing is
// rounded, so give the plain decimal of the server and not a computed float.
export const shown = (amount, currency) => written(amount, style(currency), decimalsOf(currency));

export const number = (value) => written(value, style(""), 0);

// The same as the server's template tag `money`: an element whose value is the plain decimal.
export function money(amount, currency) {
  const data = document.createElement("data");
  data.className = "money";
  data.value = amount;
  const [whole, fraction, after] = parts(amount, style(currency), decimalsOf(currency));
  const span = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });
  data.append(whole, span(`d${Math.max(fraction.length - 1, 0)}`, fraction));
  if (after) data.append(span(`s${after.trim().length}`, after));
  return data;
}
