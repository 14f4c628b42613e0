// Amounts as people type them. Pages load it with the first amount that somebody types, because most
// visits see none.
import { number, shown, style, WITHOUT_CENTS, written } from "./money.js";
import { t } from "./texts.js";

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
  // What was refused has its error below, and says the same.
  if (input.getAttribute("aria-invalid") !== "true") tell();
}

// Every money field of the page; see templates/components/money_field.html.
for (const field of globalThis.document?.querySelectorAll("[data-money]") ?? []) {
  const at = (id) => document.getElementById(id);
  tellAmount(at(field.dataset.money), at(`${field.dataset.money}-understood`), at(field.dataset.moneyCurrency));
}
