// When a question is shown: by earlier questions and their answers, in groups within groups.
import { t } from "../../js/texts.js";
import { get, isMap, listOf } from "./model.js";
import { h } from "./elements.js";

const CHOICES = ["single", "multiple"];
const NUMBERS = ["scale", "number"];
// Groups may be in each other as deep as the check of a definition allows.
const LEVELS = 2;

const isLeaf = (part) => isMap(part) && part.q !== undefined;
const joinOf = (part) => (Array.isArray(part?.any) ? "any" : "all");

// Return how conditions are joined and the conditions, or null for what only JSON can say.
function read(condition) {
  if (condition === undefined) return ["", []];
  if (isLeaf(condition)) return ["all", [condition]];
  const join = joinOf(condition);
  const parts = listOf(condition?.[join]);
  return isShown(condition, 1) ? [join, parts] : null;
}
function isShown(part, level) {
  if (isLeaf(part)) return true;
  const parts = isMap(part) ? listOf(part[joinOf(part)]) : [];
  return level <= LEVELS && parts.length > 0 && parts.every((each) => isShown(each, level + 1));
}

export function conditionField(form, field, path, owner) {
  const earlier = listOf(form.model.questions).slice(0, listOf(form.model.questions).indexOf(owner)).filter((each) => isMap(each) && each.type !== "info");
  const found = read(get(form.model, path));
  if (!earlier.length && found?.[1].length === 0) return null;
  if (!found) return h("fieldset", { id: path }, h("legend", {}, field.l), h("p", { class: "hint" }, t("This condition is not complete, or too deep. Change it as JSON.")));
  const write = (condition, focus) => {
    form.put(path, condition);
    if (focus) form.draw(condition ? focus : `${path}:join`);
    else form.redraw();
  };
  const [join, parts] = found;
  const joins = [["", t("Always")], ["all", t("Only if all of these hold")], ["any", t("Only if one of these holds")]];
  const choose = (value) => write(value ? { [value]: parts.length ? parts : [fresh(earlier.at(-1))] } : undefined);
  const box = h("fieldset", { id: path }, h("legend", {}, field.l), pick(form, `${path}:join`, t("Shown"), joins, join, choose));
  if (parts.length) box.append(...group(form, path, earlier, join, parts, 1, write));
  return box;
}

// The conditions of a group, each of which may be a group again, and the buttons below them.
// `write` takes the group as it is now, undefined if nothing is left, and where the focus goes.
function group(form, id, earlier, join, parts, level, write) {
  const put = (now, focus) => write(now.length ? { [join]: now } : undefined, focus);
  const made = parts.map((part, place) => {
    const change = (now, focus) => put(parts.toSpliced(place, 1, ...(now ? [now] : [])), now ? focus : parts.length > 1 ? `${id}:${Math.min(place, parts.length - 2)}:delete` : `${id}:add`);
    return isLeaf(part) ? row(form, `${id}:${place}`, earlier, part, change) : inner(form, `${id}:${place}`, earlier, part, level + 1, change);
  });
  const last = `${id}:${parts.length}`;
  const add = (name, label, part, focus) => h("button", { type: "button", class: "quiet small", id: `${id}:${name}`, click: () => put([...parts, part], focus) }, label);
  const one = add("add", t("One more condition"), fresh(earlier.at(-1)), `${last}:q`);
  const several = level < LEVELS ? add("group", t("A group of conditions"), { [join === "all" ? "any" : "all"]: [fresh(earlier.at(-1))] }, `${last}:join`) : null;
  return [...made, h("div", { class: "buttons" }, ...[one, several].filter(Boolean))];
}
function inner(form, id, earlier, part, level, change) {
  const join = joinOf(part);
  const joins = [["all", t("All of these hold")], ["any", t("One of these holds")]];
  const choose = (value) => change({ [value]: part[join] });
  const write = (now, focus) => change(now ?? null, focus);
  return h(
    "fieldset",
    { class: "inner", id },
    h("legend", {}, t("A group of conditions")),
    pick(form, `${id}:join`, t("It holds if"), joins, join, choose),
    ...group(form, id, earlier, join, part[join], level, write),
    h("button", { type: "button", class: "quiet small", id: `${id}:delete`, click: () => change(null) }, t("Take this group away")),
  );
}

const fresh = (question) => (CHOICES.includes(question?.type) ? { q: question.key, is: listOf(question.options).slice(0, 1).map((each) => each.key) } : { q: question?.key ?? "", answered: true });

function pick(form, id, label, options, value, change) {
  const input = h("select", {}, ...options.map(([key, text]) => h("option", { value: key }, text)));
  input.value = value;
  input.addEventListener("change", () => change(input.value));
  return form.labelled(input, label, "", id);
}

function row(form, id, earlier, leaf, change) {
  const question = earlier.find((each) => each.key === leaf.q);
  const asked = earlier.map((each) => [each.key, form.nameOf(each) || each.key]);
  if (!question) asked.unshift([leaf.q, leaf.q]);
  const hows = [["answered", t("was answered")], ["unanswered", t("was not answered")]];
  if (NUMBERS.includes(question?.type)) hows.unshift(["gte", t("is at least")], ["lte", t("is at most")]);
  if (CHOICES.includes(question?.type)) hows.unshift(["is", t("is one of")], ["not", t("is none of")]);
  let how = ["is", "not", "gte", "lte"].find((name) => leaf[name] !== undefined) ?? (leaf.answered === false ? "unanswered" : "answered");
  if (!hows.some(([name]) => name === how)) hows.unshift([how, how]);
  const made = (name) => ({ q: leaf.q, ...({ is: { is: leaf.not ?? fresh(question).is }, not: { not: leaf.is ?? fresh(question).is }, gte: { gte: leaf.lte ?? 0 }, lte: { lte: leaf.gte ?? 0 }, answered: { answered: true }, unanswered: { answered: false } })[name] });
  const parts = [
    pick(form, `${id}:q`, t("Question"), asked, leaf.q, (key) => change(fresh(earlier.find((each) => each.key === key)))),
    pick(form, `${id}:how`, t("Answer"), hows, how, (name) => change(made(name))),
  ];
  if (how === "gte" || how === "lte") {
    const input = h("input", { inputmode: "decimal", value: leaf[how], change: () => change({ q: leaf.q, [how]: /^-?\d{1,9}$/.test(input.value) ? Number(input.value) : input.value.replace(",", ".") }) });
    parts.push(form.labelled(input, t("Number"), "", `${id}:value`));
  }
  const boxes = CHOICES.includes(question?.type) && (how === "is" || how === "not") ? listOf(question.options).filter(isMap).map((option) => form.box(`${id}:${option.key}`, form.nameOf(option) || option.key, listOf(leaf[how]).includes(option.key), (on) => change({ q: leaf.q, [how]: listOf(leaf[how]).filter((each) => each !== option.key).concat(on ? [option.key] : []) }))) : [];
  return h("div", { class: "field" }, h("div", { class: "row" }, ...parts), boxes.length ? h("div", { class: "choices", role: "group", "aria-label": t("Answers") }, ...boxes) : null, h("button", { type: "button", class: "quiet small", id: `${id}:delete`, click: () => change(null) }, t("Take this condition away")));
}
