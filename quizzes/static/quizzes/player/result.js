// A result on the page. templates/quizzes/player/result.html shows the same without JavaScript.
import { element, elements } from "./blocks.js";

const paragraph = (className, text, spoken) => element("p", { className, textContent: text, ...spoken });

function score(result, word, spoken) {
  if (result.band === null || Number(result.max) <= 0) return [];
  const { format } = numbers(spoken);
  const [points, max, percent] = [result.points, result.max, result.percent].map((value) => value && format(value));
  const words = result.percent === null ? word("points", { points, max }) : word("score", { points, max, percent });
  return [paragraph("score", words, spoken)];
}

function categories(result, word, spoken) {
  if (!result.categories.length) return [];
  const rows = result.categories.flatMap(({ key, title, percent }) => {
    const bar = percent === null ? [] : [element("progress", { max: 100, value: Number(percent), ariaHidden: "true" })];
    const told = percent === null ? element("span", { textContent: word("no_answer"), ...spoken }) : `${numbers(spoken).format(percent)}\u00a0%`;
    return [element("dt", { textContent: title ?? key }), element("dd", {}, ...bar, told)];
  });
  return [element("h3", { textContent: word("parts"), ...spoken }), element("dl", { className: "parts" }, ...rows)];
}

function answers(result, word, spoken) {
  if (!result.answers.length) return [];
  const rows = result.answers.flatMap(({ title, answer, correct }) => {
    const mark = correct === null ? [] : [" ", element("span", { className: `badge ${correct ? "good" : "bad"}`, textContent: word(correct ? "right" : "wrong"), ...spoken })];
    return [element("dt", { textContent: title }), element("dd", {}, answer === null ? element("span", { textContent: word("no_answer"), ...spoken }) : element("bdi", { textContent: answer }), ...mark)];
  });
  return [element("details", {}, element("summary", { textContent: word("your_answers"), ...spoken }), element("dl", { className: "given" }, ...rows))];
}

// Numbers are in the language of the words beside them.
const numbers = (spoken) => new Intl.NumberFormat(spoken.lang ?? document.documentElement.lang, { maximumFractionDigits: 3 });

// Return the elements of a result; the first one is its heading. `spoken` marks the language of words.
export function shown(result, word, spoken) {
  const heading = element("h2", { textContent: result.headline.title, tabIndex: -1 });
  const item = result.item ? [paragraph("item", word("item", { item: result.item }), spoken)] : [];
  return [heading, ...score(result, word, spoken), ...elements(result.headline.text), ...item, ...elements(result.blocks), ...categories(result, word, spoken), ...answers(result, word, spoken)];
}
