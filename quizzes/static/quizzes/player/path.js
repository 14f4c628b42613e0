// Which questions a respondent sees: quizzes/scoring/visibility.py says the same, by the same vectors.

// Return the keys of the questions that are shown, in order. A question is shown if its condition
// holds over the answers of shown questions before it.
export function path(questions, answers) {
  const shown = new Set();
  for (const { key, show_if } of questions) if (!show_if || holds(show_if, answers, shown)) shown.add(key);
  return [...shown];
}

// Return the questions that somebody who is at `at` sees at most, and whether it may be fewer. The
// answers of that question and of all after it are still open.
export function outlook(questions, answers, at) {
  const shown = new Set();
  const open = new Set();
  let isOpen = false;
  let mayBeFewer = false;
  for (const { key, show_if } of questions) {
    const depends = show_if && looksAt(show_if, open);
    if (show_if && !holds(show_if, answers, shown, open)) continue;
    shown.add(key);
    isOpen ||= key === at;
    if (isOpen) open.add(key);
    mayBeFewer ||= Boolean(depends);
  }
  return { most: shown, mayBeFewer };
}

// Looks at questions in `open` count as true.
function holds(condition, answers, shown, open = null) {
  if (condition.all) return condition.all.every((part) => holds(part, answers, shown, open));
  if (condition.any) return condition.any.some((part) => holds(part, answers, shown, open));
  const { q } = condition;
  if (open?.has(q)) return true;
  const has = shown.has(q) && Object.hasOwn(answers, q);
  if (condition.answered !== undefined) return has === condition.answered;
  if (!has) return false;
  const value = answers[q];
  const chosen = Array.isArray(value) ? value : [value];
  if (condition.is) return chosen.some((one) => condition.is.includes(one));
  if (condition.not) return !chosen.some((one) => condition.not.includes(one));
  // Numbers have at most twelve digits, so floats keep their order.
  if (condition.gte !== undefined) return Number(value) >= Number(condition.gte);
  return Number(value) <= Number(condition.lte);
}

function looksAt(condition, open) {
  const parts = condition.all ?? condition.any;
  return parts ? parts.some((part) => looksAt(part, open)) : open.has(condition.q);
}
