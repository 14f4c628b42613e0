// A result on the page. templates/quizzes/player/result.html shows the same without JavaScript.
import { element, elements } from "./blocks.js";

const paragraph = (className, text) => element("p", { className, textContent: text });

function score(result, word) {
  if (result.band === null || Number(result.max) <= 0) return [];
  const { points, max, percent } = result;
  const words = percent === null ? word("points", { points, max }) : word("score", { points, max, percent });
  return [paragraph("score", words)];
}

function categories(result, word) {
  if (!result.categories.length) return [];
  const rows = result.categories.flatMap(({ key, title, percent }) => {
    const bar = percent === null ? [] : [element("progress", { max: 100, value: Number(percent), ariaHidden: "true" })];
    const told = percent === null ? word("no_answer") : `${percent} %`;
    return [element("dt", { textContent: title ?? key }), element("dd", {}, ...bar, told)];
  });
  return [element("h3", { textContent: word("parts") }), element("dl", { className: "parts" }, ...rows)];
}

function answers(result, word) {
  if (!result.answers.length) return [];
  const rows = result.answers.flatMap(({ title, answer, correct }) => {
    const mark = correct === null ? [] : [" ", element("span", { className: `badge ${correct ? "good" : "bad"}`, textContent: word(correct ? "right" : "wrong") })];
    return [element("dt", { textContent: title }), element("dd", {}, element("bdi", { textContent: answer ?? word("no_answer") }), ...mark)];
  });
  return [element("details", {}, element("summary", { textContent: word("your_answers") }), element("dl", { className: "given" }, ...rows))];
}

// Return the elements of a result; the first one is its heading.
export function shown(result, word) {
  const heading = element("h2", { textContent: result.headline.title, tabIndex: -1 });
  const item = result.item ? [paragraph("item", word("item", { item: result.item }))] : [];
  return [heading, ...score(result, word), ...elements(result.headline.text), ...item, ...elements(result.blocks), ...categories(result, word), ...answers(result, word)];
}
