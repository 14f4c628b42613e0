// The lists of what waits, was refused and was sent, on the page.
import { shown } from "../js/money.js";
import { t } from "../js/texts.js";
import { tell } from "../js/times.js";
import { SHOWN } from "./queue.js";
import { reasonOf, UNSURE } from "./words.js";

function button(text, press) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "secondary small";
  made.textContent = text;
  made.addEventListener("click", () => press(made));
  return made;
}

// Return a button that acts when it is pressed a second time.
function twice(text, question, press) {
  let sure = false;
  const made = button(text, () => {
    if (sure) return press();
    sure = true;
    made.textContent = question;
  });
  made.addEventListener("blur", () => {
    sure = false;
    made.textContent = text;
  });
  return made;
}

// Return the price of all, without the rounding of floats.
function total(price, quantity) {
  const [units, cents = ""] = price.split(".");
  const sum = BigInt(units + cents.padEnd(2, "0").slice(0, 2)) * BigInt(quantity);
  const digits = String(sum).padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

export class Lists {
  #root;
  #row;
  #actions;

  // `actions` are {mend, again, drop}, each called with an entry.
  constructor(root, row, actions) {
    this.#root = root;
    this.#row = row;
    this.#actions = actions;
  }

  show(snapshot, corrected) {
    for (const section of this.#root.querySelectorAll("[data-list]")) {
      const entries = snapshot[section.dataset.list];
      // What waits is shown in the order in which it is sent, everything else newest first.
      const some = section.dataset.list === "waiting" ? entries.slice(0, SHOWN) : entries.slice(-SHOWN).reverse();
      section.hidden = !entries.length;
      section.querySelector(".badge").textContent = entries.length;
      section.querySelector(":scope > .hint").textContent = entries.length > some.length ? t("The first %(count)s are shown.", { count: some.length }) : "";
      this.#fill(section.querySelector(".entries"), some, corrected);
    }
  }

  // Keep the rows that have not changed, so that the focus stays.
  #fill(list, entries, corrected) {
    const old = new Map([...list.children].map((row) => [row.dataset.mark, row]));
    const rows = entries.map((entry) => {
      const mark = JSON.stringify([entry.seq, entry.state, Boolean(entry.body), entry.errors?.length, entry.failures]);
      return old.get(mark) ?? this.#made(entry, mark, corrected);
    });
    if (rows.some((row, at) => list.children[at] !== row) || list.children.length !== rows.length) list.replaceChildren(...rows);
  }

  #made(entry, mark, corrected) {
    const row = this.#row.content.firstElementChild.cloneNode(true);
    row.dataset.mark = mark;
    row.dataset.state = entry.state;
    const { item, price, quantity, currency, username } = entry.fields;
    const amount = entry.purchase?.total ?? total(price, quantity);
    const sum = row.querySelector("strong");
    sum.textContent = shown(amount, currency);
    if (entry.purchase) {
      const link = document.createElement("a");
      link.href = `/purchases/${entry.purchase.id}/`;
      link.append(...sum.childNodes);
      sum.append(link);
    }
    row.querySelector(".what").textContent = [Number(quantity) > 1 && `${quantity} ×`, item || t("without an item")].filter(Boolean).join(" ");
    const time = row.querySelector("time");
    time.dateTime = new Date(entry.body?.timestamp ?? corrected(entry.typed_at)).toISOString();
    tell(time);
    row.querySelector(".customer").textContent = username ?? "";
    const why = row.querySelector(".why");
    const buttons = row.querySelector(".buttons");
    if (entry.state === "refused") {
      why.hidden = false;
      why.textContent = entry.unsure ? UNSURE() : reasonOf(entry.errors);
      if (!entry.unsure) buttons.append(button(t("Mend"), () => this.#actions.mend(entry)));
      buttons.append(button(t("Try again"), () => this.#actions.again(entry)));
      buttons.append(twice(t("Drop"), t("Drop it for good?"), () => this.#actions.drop(entry)));
    } else if (entry.state === "waiting" && !entry.body) {
      buttons.append(twice(t("Drop"), t("Drop it for good?"), () => this.#actions.drop(entry)));
    } else if (entry.state === "sent" && entry.replayed) {
      why.hidden = false;
      why.className = "why hint";
      why.textContent = t("It had arrived before; it is recorded once.");
    }
    if (!buttons.children.length) buttons.remove();
    return row;
  }
}
