// The items and customers that an account typed last on this device, newest first.
const LONGEST = { items: 9, customers: 30 };

export class Lately {
  #prefix;

  constructor(account) {
    this.#prefix = `till.${account}.`;
  }

  list(kind) {
    try {
      const found = JSON.parse(localStorage.getItem(this.#prefix + kind) ?? "[]");
      return Array.isArray(found) ? found : [];
    } catch {
      return [];
    }
  }

  // Put `value` in front. Two values with the same `name` are one.
  add(kind, name, value) {
    if (!name) return;
    const others = this.list(kind).filter((each) => each.name !== name);
    try {
      localStorage.setItem(this.#prefix + kind, JSON.stringify([{ ...value, name }, ...others].slice(0, LONGEST[kind])));
    } catch {
      // The device keeps nothing, so there is nothing to suggest.
    }
  }
}
