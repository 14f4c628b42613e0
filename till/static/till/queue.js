// The till's entries on this device, in IndexedDB. It knows neither the page nor the network.
//
// An entry is {seq, key, account, name, fields, typed_at, state, body, failures, purchase, errors,
// unsure}. `state` is "waiting", "sent" or "refused". `seq` is the order in which entries were typed.
// `body` is what is sent. It is written once, before the first attempt, so that every attempt under
// `key` sends the same.
const STORE = "entries";

// How many entries may wait or be refused on one device, and how many sent ones are shown.
export const LIMIT = 2000;
export const SHOWN = 50;

export class QueueFull extends Error {}
export class Gone extends Error {}

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function opened(factory) {
  return new Promise((resolve, reject) => {
    const request = factory.open("till", 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: "seq", autoIncrement: true });
      store.createIndex("state", "state");
      store.createIndex("account", ["account", "state"]);
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    // Some private windows never answer.
    setTimeout(() => reject(new Error("IndexedDB does not answer.")), 5000);
  });
}

// Return the queue of this device. Without IndexedDB it keeps entries in this window only.
export async function openQueue(factory) {
  try {
    return new Queue(await opened(factory ?? indexedDB));
  } catch {
    return new Queue(null);
  }
}

export class Queue {
  #db;
  // Entries that the device did not take. Their `seq` is negative.
  #memory = [];

  constructor(db) {
    this.#db = db;
  }

  get isKept() {
    return this.#db !== null && this.#memory.every((entry) => entry.state !== "waiting");
  }

  // Run `work` in one transaction, and return its result after the device has written it. If it is
  // "relaxed", a power cut may undo it, but a killed browser does not.
  #write(work, durability = "strict") {
    return new Promise((resolve, reject) => {
      const transaction = this.#db.transaction(STORE, "readwrite", { durability });
      let value;
      transaction.oncomplete = () => resolve(value);
      transaction.onabort = () => reject(transaction.error ?? value);
      work(transaction.objectStore(STORE)).then(
        (found) => (value = found),
        (error) => {
          value = error;
          try {
            transaction.abort();
          } catch {
            reject(error);
          }
        },
      );
    });
  }

  #store() {
    return this.#db.transaction(STORE).objectStore(STORE);
  }

  // Keep a new entry, and remove the refused one that it replaces. Return it, with `kept` if the
  // device has written it, else it is in this window only. Throw QueueFull, or Gone if another
  // window has replaced the refused one.
  async add(given, replaces = null) {
    const entry = { ...given, state: "waiting", body: null, failures: 0 };
    if (this.#db) {
      try {
        const added = await this.#write(async (store) => {
          const waiting = await result(store.index("state").count("waiting"));
          const refused = await result(store.index("state").count("refused"));
          if (waiting + refused >= LIMIT) throw new QueueFull();
          if (replaces > 0) {
            if ((await result(store.get(replaces)))?.state !== "refused") throw new Gone();
            store.delete(replaces);
          }
          const seq = await result(store.add(entry));
          return { ...entry, seq, kept: true };
        });
        if (replaces < 0) await this.change(replaces, () => null);
        return added;
      } catch (error) {
        if (error instanceof QueueFull || error instanceof Gone) throw error;
      }
    }
    if (this.#memory.length >= LIMIT) throw new QueueFull();
    if (replaces !== null) await this.change(replaces, () => null);
    entry.seq = Math.min(0, ...this.#memory.map((each) => each.seq)) - 1;
    this.#memory.push(entry);
    return { ...entry, kept: false };
  }

  // Return the oldest entry of the account that waits, or null.
  async next(account) {
    const here = this.#memory.find((entry) => entry.account === account && entry.state === "waiting") ?? null;
    if (!this.#db) return here;
    const cursor = await result(this.#store().index("account").openCursor(IDBKeyRange.only([account, "waiting"])));
    const kept = cursor?.value ?? null;
    return kept && here ? (kept.typed_at <= here.typed_at ? kept : here) : (kept ?? here);
  }

  // Replace an entry by what `change` makes of it: null removes it, undefined leaves it. Return
  // the entry as it is now, or null.
  async change(seq, change, durability) {
    if (seq < 0) {
      const place = this.#memory.findIndex((entry) => entry.seq === seq);
      if (place < 0) return null;
      const changed = change(this.#memory[place]);
      if (changed === undefined) return this.#memory[place];
      this.#memory.splice(place, 1, ...(changed ? [changed] : []));
      return changed;
    }
    return this.#write(async (store) => {
      const entry = await result(store.get(seq));
      if (!entry) return null;
      const changed = change(entry);
      if (changed === undefined) return entry;
      if (changed === null) store.delete(seq);
      else store.put(changed);
      if (changed?.state === "sent") {
        const sent = await result(store.index("account").getAllKeys(IDBKeyRange.only([changed.account, "sent"])));
        for (const old of sent.slice(0, -SHOWN)) store.delete(old);
      }
      return changed;
    }, durability);
  }

  // Return the account's entries by state, oldest first, and how many wait for other accounts.
  async snapshot(account) {
    const everything = [...(this.#db ? await result(this.#store().getAll()) : []), ...this.#memory];
    const found = { waiting: [], sent: [], refused: [], others: new Map() };
    for (const entry of everything) {
      if (entry.account === account) found[entry.state].push(entry);
      else if (entry.state !== "sent") found.others.set(entry.name, (found.others.get(entry.name) ?? 0) + 1);
    }
    for (const state of ["waiting", "sent", "refused"]) found[state].sort((a, b) => a.typed_at - b.typed_at || a.seq - b.seq);
    return found;
  }
}
