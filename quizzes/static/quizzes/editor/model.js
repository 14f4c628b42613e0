// A definition in the making: any JSON object, because whoever writes one is not done yet.
export const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
export const listOf = (value) => (Array.isArray(value) ? value : []);
export const get = (root, path) => path.split(".").reduce((part, key) => part?.[key], root);

// Put a value at a path; undefined takes it away, and what is left empty with it.
export function set(root, path, value, keepEmpty = false) {
  const keys = path.split(".");
  const last = keys.pop();
  const parts = [root];
  for (const key of keys) {
    const part = parts.at(-1);
    if (part[key] === null || typeof part[key] !== "object") part[key] = {};
    parts.push(part[key]);
  }
  if (value !== undefined) return void (parts.at(-1)[last] = value);
  delete parts.at(-1)[last];
  const above = parts.at(-2);
  if (!keepEmpty && above && isMap(parts.at(-1)) && !Object.keys(parts.at(-1)).length) delete above[keys.at(-1)];
}

export function freshKey(prefix, taken) {
  for (let number = 1; ; number++) if (!taken.has(prefix + number)) return prefix + number;
}

export function* leaves(condition) {
  if (!isMap(condition)) return;
  if (condition.q !== undefined) yield condition;
  for (const part of listOf(condition.all ?? condition.any)) yield* leaves(part);
}

// Let everything that names a key name another one, or nothing if there is none.
export function rename(model, kind, old, now, owner) {
  const swap = (holder, name) => {
    const found = holder?.[name];
    if (Array.isArray(found)) {
      const left = found.map((each) => (each === old ? now : each)).filter((each) => each !== undefined);
      if (left.length || !found.length) holder[name] = left;
      else delete holder[name];
    } else if (isMap(found) && old in found) {
      if (now !== undefined) found[now] = found[old];
      delete found[old];
      if (!Object.keys(found).length) delete holder[name];
    } else if (found === old) {
      if (now === undefined) delete holder[name];
      else holder[name] = now;
    }
  };
  const blocks = listOf(model.result?.blocks).map((block) => block?.when);
  for (const question of listOf(model.questions)) {
    if (kind === "categories") swap(question, "categories");
    for (const option of kind === "outcomes" ? listOf(question?.options) : []) swap(option, "outcomes"), swap(option, "excludes");
    for (const leaf of now === undefined ? [] : leaves(question?.show_if)) {
      if (kind === "questions") swap(leaf, "q");
      if (kind === "options" && leaf.q === owner?.key) swap(leaf, "is"), swap(leaf, "not");
    }
  }
  if (kind === "outcomes") swap(model, "fallback");
  for (const when of blocks) {
    if (kind === "outcomes") swap(when, "outcome");
    if (kind === "categories") swap(when, "category");
    if (kind === "bands" && when?.category === owner?.key) swap(when, "band");
  }
}

// Take a language out of all texts: maps that have nothing but languages.
export function forgetLanguage(part, language, languages) {
  if (part === null || typeof part !== "object") return;
  if (isMap(part) && language in part && Object.keys(part).every((key) => languages.includes(key))) delete part[language];
  for (const each of Object.values(part)) forgetLanguage(each, language, languages);
}

// Return the places, at most twenty, where two definitions differ.
export function differences(one, other, path = "", found = []) {
  if (found.length >= 20 || JSON.stringify(one) === JSON.stringify(other)) return found;
  const deeper = one && other && typeof one === "object" && typeof other === "object" && path.split(".").length < 4;
  if (!deeper) return found.push(path || "*"), found;
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) differences(one[key], other[key], path ? `${path}.${key}` : key, found);
  return found;
}
