// When a question is shown: by earlier questions and their answers.
import { t } from "../../js/texts.js";
import { get, isMap, listOf } from "./model.js";
import { h } from "./elements.js";

const CHOICES = ["single", "multiple"];
const NUMBERS = ["scale", "number"];

// Return how conditions are joined and the conditions, or null if they are nested.
function read(condition) {
  if (condition === undefined) return ["", []];
  if (condition?.q !== undefined) return ["all", [condition]];
  const join = condition?.any ? "any" : "all";
  const parts = listOf(condition?.[join]);
  return parts.length && parts.every((part) => isMap(part) && part.q !== undefined) ? [join, parts] : null;
}

export function conditionField(form, field, path, owner) {
  const earlier = listOf(form.model.questions).slice(0, listOf(form.model.questions).indexOf(owner)).filter((each) => isMap(each) && each.type !== "info");
  const found = read(get(form.model, path));
  if (!earlier.length && found?.[1].length === 0) return null;
  const write = (join, parts) => (form.put(path, parts.length ? { [join || "all"]: parts } : undefined), form.redraw());
  const box = h("fieldset", { id: path }, h("legend", {}, field.l));
  if (!found) {
    box.append(h("p", { class: "hint" }, t("This condition has conditions inside. Change it as JSON.")));
    return box;
  }
  const [join, parts] = found;
  const joins = [["", t("Always")], ["all", t("Only if all of these hold")], ["any", t("Only if one of these holds")]];
  box.append(pick(form, `${path}:join`, t("Shown"), joins, join, (value) => write(value, value ? (parts.length ? parts : [fresh(earlier.at(-1))]) : [])));
  parts.forEach((leaf, place) => box.append(row(form, `${path}:${place}`, earlier, leaf, (now) => write(join, parts.toSpliced(place, 1, ...(now ? [now] : []))))));
  if (parts.length) box.append(h("button", { type: "button", class: "quiet small", id: `${path}:add`, click: () => write(join, [...parts, fresh(earlier.at(-1))]) }, t("One more condition")));
  return box;
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
