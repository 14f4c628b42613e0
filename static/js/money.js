// Amounts as people write them and as pages show them. shop/core/money.py does the same for the
// server.
const WITHOUT_CENTS = new Set("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(" "));
const SYMBOLS = {
  "€": ["EUR"], "£": ["GBP"], $: ["USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD"], "¥": ["JPY", "CNY"],
  "₹": ["INR"], "₩": ["KRW"], "₺": ["TRY"], "₴": ["UAH"], "₽": ["RUB"], "₪": ["ILS"], "₫": ["VND"],
  "₦": ["NGN"], "₱": ["PHP"], "฿": ["THB"], zł: ["PLN"],
};
const NAME = "[€£$¥₹₩₺₴₽₪₫₦₱฿]|zł|[A-Za-z]{3}";
const AMOUNT = new RegExp(`^(${NAME})? ?([+-]?[0-9](?:[0-9.,' ]{0,38}[0-9])?) ?(${NAME})?$`);

export function shown(amount, currency) {
  return WITHOUT_CENTS.has(currency) ? amount.replace(/\.00$/, "") : amount;
}

// Return the amount in plain digits and its possible currencies. Return null for a text that could
// mean two amounts or none; the server then says what is wrong.
export function typedAmount(text) {
  const match = AMOUNT.exec(text.trim().replace(/[\u00a0\u202f\u2009]/g, " ").replace(/’/g, "'"));
  if (!match || (match[1] && match[3])) return null;
  const name = match[1] ?? match[3];
  const number = match[2];
  const separators = [...number].filter((sign) => ".,' ".includes(sign));
  const last = separators.at(-1);
  let decimal = ".";
  let thousands = "";
  if (last) {
    if (".,".includes(last) && separators.indexOf(last) === separators.length - 1) {
      if (separators.length === 1 && /[1-9].{0,2}[.,][0-9]{3}$/.test(number)) return null;
      decimal = last;
      if (separators.length > 1) thousands = separators[0];
    } else {
      thousands = last;
    }
  }
  const [whole, decimals, ...more] = number.split(decimal);
  const grouped = thousands && whole.includes(thousands);
  const groups = grouped ? /^[+-]?[0-9]{1,3}$/.test(whole.split(thousands)[0]) && whole.split(thousands).slice(1).every((group) => /^[0-9]{3}$/.test(group)) : /^[+-]?[0-9]+$/.test(whole);
  if (more.length || !groups || (decimals !== undefined && !/^[0-9]+$/.test(decimals))) return null;
  const plain = grouped ? whole.replaceAll(thousands, "") : whole;
  return {
    amount: decimals === undefined ? plain : `${plain}.${decimals}`,
    currencies: name ? (SYMBOLS[name] ?? [name.toUpperCase()]) : [],
  };
}
