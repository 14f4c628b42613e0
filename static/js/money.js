// Amounts as people write them and as pages show them. shop/core/money.py does the same for the
// server, and shop/tests/amounts.json has cases of both.
import { language, t } from "./texts.js";

const WITHOUT_CENTS = new Set("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(" "));
const MORE_DECIMALS = { BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4 };
// If several currencies fit, the first is meant unless something else decides.
const SYMBOLS = {
  "€": ["EUR"], "£": ["GBP"], $: ["USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD"], US$: ["USD"],
  A$: ["AUD"], AU$: ["AUD"], CA$: ["CAD"], HK$: ["HKD"], MX$: ["MXN"], NZ$: ["NZD"], NT$: ["TWD"],
  EC$: ["XCD"], R$: ["BRL"], "¥": ["JPY", "CNY"], "CN¥": ["CNY"], "₹": ["INR"], "₩": ["KRW"],
  "₺": ["TRY"], "₴": ["UAH"], "₽": ["RUB"], "₪": ["ILS"], "₫": ["VND"], "₦": ["NGN"], "₱": ["PHP"],
  "฿": ["THB"], "zł": ["PLN"], FCFA: ["XAF"], "F CFA": ["XOF"], CFPF: ["XPF"], "Cg.": ["XCG"],
};
const escaped = (text) => text.replace(/[.$]/g, "\\$&");
const NAME = [...Object.keys(SYMBOLS).sort((a, b) => b.length - a.length).map(escaped), "[A-Za-z]{3}"].join("|");
const AMOUNT = new RegExp(
  `^([+-])? ?(${NAME})? ?([+-])?([0-9](?:[0-9.,' ]{0,38}[0-9])?|[.,][0-9]{1,2})(?:[.,][-–—]{1,2})? ?(${NAME})?$`,
);
const formats = new Map();

function style(currency) {
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

function written(amount, { before, after, thousands, decimal }, decimals) {
  const [whole, fraction = ""] = String(amount).replace(/^[+-]/, "").split(".");
  const grouped = whole.replace(/^0+(?=[0-9])/, "").replace(/\B(?=([0-9]{3})+$)/g, thousands);
  const shownFraction = fraction.replace(/0+$/, "").padEnd(decimals, "0");
  const sign = String(amount).startsWith("-") ? "-" : "";
  return `${sign}${before}${grouped}${shownFraction && decimal + shownFraction}${after}`;
}

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
  data.textContent = shown(amount, currency);
  return data;
}

class Unclear extends Error {}

function separators(digits, wholeOnly) {
  const found = [...digits].filter((sign) => ".,' ".includes(sign));
  const last = found.at(-1);
  if (!last) return [".", ""];
  // A repeated sign, a space or an apostrophe separates thousands.
  if (found.indexOf(last) !== found.length - 1 || !".,".includes(last)) return [".", last];
  if (found.length === 1 && /^[1-9].{0,2}[.,][0-9]{3}$/.test(digits)) {
    if (wholeOnly) return [last === "," ? "." : ",", last];
    const plain = digits.replace(last, "");
    throw new Unclear(
      t("This could mean %(whole)s or %(decimals)s. Write %(plain)s if you mean the first.", {
        whole: written(plain, { ...style(""), thousands: "" }, 2),
        decimals: written(`${plain.slice(0, -3)}.${plain.slice(-3)}`, style(""), 3),
        plain,
      }),
    );
  }
  return [last, found.length > 1 ? found[0] : ""];
}

const noPrice = () => new Unclear(t("Write the price in digits, such as 1195.30 or 1.195,30."));

function read(text, currency) {
  const match = AMOUNT.exec(text.trim().replace(/[\u00a0\u202f\u2009]/g, " ").replace(/’/g, "'").replace(/−/g, "-"));
  if (!match || (match[2] && match[5]) || (match[1] && match[3])) throw noPrice();
  const name = match[2] ?? match[5];
  const currencies = name ? (SYMBOLS[name] ?? [name.toUpperCase()]) : [];
  let meant = currency.toUpperCase();
  if (currencies.length && !currencies.includes(meant)) meant = currencies[0];
  const digits = /^[.,]/.test(match[4]) ? `0${match[4]}` : match[4];
  const [decimal, thousands] = separators(digits, WITHOUT_CENTS.has(meant));
  const [whole, fraction, ...more] = digits.split(decimal);
  const groups = thousands ? whole.split(thousands) : [whole];
  const grouped = groups.length > 1 ? /^[0-9]{1,3}$/.test(groups[0]) && groups.slice(1).every((group) => /^[0-9]{3}$/.test(group)) : /^[0-9]+$/.test(whole);
  if (more.length || !grouped || (fraction !== undefined && !/^[0-9]+$/.test(fraction))) throw noPrice();
  const decimals = fraction === undefined ? "" : `.${fraction.slice(0, 2)}${fraction.slice(2).replace(/0+$/, "")}`;
  const sign = (match[1] ?? match[3]) === "-" ? "-" : "";
  return { amount: sign + groups.join("") + decimals, currencies, currency: meant };
}

// Return {amount, currencies, currency}: the plain digits, the currencies that the text may be in,
// and the one that is meant, which is that of the form unless the text says another. Return
// {problem} with a sentence for a text that could mean two amounts or none.
export function understand(text, currency = "") {
  try {
    return read(text, currency);
  } catch (error) {
    if (error instanceof Unclear) return { problem: error.message };
    throw error;
  }
}

// The same, but null for a text that could mean two amounts or none.
export function typedAmount(text, currency = "") {
  const found = understand(text, currency);
  return found.problem ? null : found;
}

// Say below a field what it is understood as: `output` gets the amount or the problem.
// `currencyField` is the field of the form's currency, if there is one.
export function tellAmount(input, output, currencyField) {
  const tell = () => {
    const found = input.value.trim() ? understand(input.value, currencyField?.value ?? "") : {};
    output.textContent = found.problem ?? (found.amount === undefined ? "" : found.currency ? shown(found.amount, found.currency) : number(found.amount));
    output.classList.toggle("is-unclear", Boolean(found.problem));
  };
  input.addEventListener("input", tell);
  currencyField?.addEventListener("input", tell);
  tell();
}

// Every money field of the page; see templates/components/money_field.html.
for (const field of globalThis.document?.querySelectorAll("[data-money]") ?? []) {
  const at = (id) => document.getElementById(id);
  tellAmount(at(field.dataset.money), at(`${field.dataset.money}-understood`), at(field.dataset.moneyCurrency));
}
