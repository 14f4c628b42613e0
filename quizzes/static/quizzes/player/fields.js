// The questions of the page: what is answered in their fields, and what is wrong with it. The server
// has rendered them, and judges answers again.

const NUMBER = /^-?[0-9]{1,9}(\.[0-9]{1,3})?$/;

export class Fault extends Error {
  constructor(word, values = {}) {
    super(word);
    this.word = word;
    this.values = values;
  }
}

const inputs = (box) => [...box.querySelectorAll("input, select, textarea")];

// Return what is answered, or undefined for nothing. Throw a Fault.
export function read(question, box) {
  if (question.type === "info") return undefined;
  const fields = inputs(box);
  if (question.type === "single") return fields.find((field) => field.checked)?.value;
  if (question.type === "multiple") {
    const chosen = fields.filter((field) => field.checked).map((field) => field.value);
    if (chosen.length > (question.max ?? chosen.length)) throw new Fault("too_many", { n: question.max });
    // In the author's order, also where the options are shuffled.
    return chosen.length ? question.options.map(({ key }) => key).filter((key) => chosen.includes(key)) : undefined;
  }
  if (question.type === "scale") {
    const value = fields[0].type === "radio" ? (fields.find((field) => field.checked)?.value ?? "") : fields[0].value;
    return value === "" ? undefined : Number(value);
  }
  const text = fields[0].value.trim();
  if (!text) return undefined;
  return question.type === "number" ? numberOf(question, text) : text;
}

// People write 3,5 and 3.5; whatever could be read in two ways is asked again.
function numberOf({ min, max }, text) {
  const plain = text.replace(/\s/g, "").replace(",", ".").replace("−", "-");
  if (!NUMBER.test(plain)) throw new Fault("not_a_number");
  if (min !== undefined && Number(plain) < Number(min)) throw new Fault("too_small", { n: min });
  if (max !== undefined && Number(plain) > Number(max)) throw new Fault("too_large", { n: max });
  return plain;
}

// Return the fault of an answer with which nobody may go on, or null.
export function missing(question, value) {
  if (value === undefined) return question.required ? new Fault("required") : null;
  if (question.type === "multiple" && value.length < (question.min ?? 0)) return new Fault("too_few", { n: question.min });
  return null;
}

// Put a kept answer into the fields.
export function write(question, box, value) {
  for (const field of inputs(box)) {
    if (field.type === "radio" || field.type === "checkbox") {
      field.checked = Array.isArray(value) ? value.includes(field.value) : String(value) === field.value;
    } else if (field !== document.activeElement) field.value = value ?? "";
  }
}

// Tie a sentence to the field that it is about; an empty one takes it away.
export function mark(box, sentence) {
  const error = box.querySelector(".error");
  // A text between questions asks for nothing.
  if (!error) return;
  error.textContent = sentence;
  error.hidden = !sentence;
  const group = box.querySelector("fieldset");
  for (const field of group ? [group, ...inputs(box)] : inputs(box)) {
    if (sentence) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

// Shuffle the options of a question, the same way for the same attempt.
export function shuffle(question, box, seed) {
  const rows = [...box.querySelectorAll(".option")];
  const pins = new Map(question.options.map(({ key, pin }) => [key, { first: -1, last: 1 }[pin] ?? 0]));
  const place = (row) => {
    const { value } = row.querySelector("input");
    return { row, pin: pins.get(value) ?? 0, chance: hash(`${seed} ${question.key} ${value}`) };
  };
  const sorted = rows.map(place).sort((a, b) => a.pin - b.pin || (a.pin ? 0 : a.chance - b.chance));
  box.querySelector(".options").append(...sorted.map(({ row }) => row));
}

// FNV-1a.
function hash(text) {
  let found = 0x811c9dc5;
  for (const letter of text) found = Math.imul(found ^ letter.codePointAt(0), 0x01000193) >>> 0;
  return found;
}
