// The attempt on this device: in IndexedDB, else in localStorage, else in this window only.
//
// A quiz has at most one record on a device, so two windows share it. A change is read, made and
// written in one step; `touched` tells the newer of two places.
const STORE = "attempts";

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("quizzes", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "slug" });
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    // Some private windows never answer.
    setTimeout(() => reject(new Error("IndexedDB does not answer.")), 3000);
  });
}

// Return the place of a quiz's record. `tell` is called when another window has changed it.
export async function openStore(slug, tell) {
  let database = null;
  try {
    database = await opened();
  } catch {
    // Blocked in a frame of another site, or a private window.
  }
  return new Store(slug, database, tell);
}

class Store {
  #slug;
  #name;
  #database;
  #channel = null;
  #memory = null;
  #hasLocal = true;

  constructor(slug, database, tell) {
    this.#slug = slug;
    this.#name = `quiz.${slug}`;
    this.#database = database;
    try {
      localStorage.setItem("quiz", "1");
      localStorage.removeItem("quiz");
      window.addEventListener("storage", (event) => event.key === this.#name && tell());
    } catch {
      this.#hasLocal = false;
    }
    if (globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = tell;
    }
  }

  // Whether the record outlives this window.
  get isKept() {
    return this.#database !== null || this.#hasLocal;
  }

  #local() {
    try {
      return this.#hasLocal ? JSON.parse(localStorage.getItem(this.#name)) : null;
    } catch {
      return null;
    }
  }

  #newest(kept) {
    const found = [kept, this.#local(), this.#memory].filter(Boolean);
    return found.sort((a, b) => b.touched - a.touched)[0] ?? null;
  }

  async read() {
    if (!this.#database) return this.#newest(null);
    try {
      return this.#newest(await result(this.#database.transaction(STORE).objectStore(STORE).get(this.#slug)));
    } catch {
      this.#database = null;
      return this.#newest(null);
    }
  }

  // Replace the record by what `change` makes of it; null removes it, undefined leaves it. Return
  // the record as it is now.
  async update(change) {
    let now;
    const make = (kept) => {
      const before = this.#newest(kept);
      const after = change(before ? structuredClone(before) : null);
      if (after) Object.assign(after, { slug: this.#slug, touched: Math.max(Date.now(), (before?.touched ?? 0) + 1) });
      now = after === undefined ? before : after;
      return after;
    };
    if (this.#database) {
      try {
        await new Promise((resolve, reject) => {
          const transaction = this.#database.transaction(STORE, "readwrite");
          transaction.oncomplete = resolve;
          transaction.onabort = () => reject(transaction.error);
          const store = transaction.objectStore(STORE);
          const request = store.get(this.#slug);
          request.onsuccess = () => {
            const after = make(request.result);
            if (after) store.put(after);
            else if (after === null) store.delete(this.#slug);
          };
        });
        this.#moved();
        return now;
      } catch {
        // The disk is full, or the browser has closed the database. The answer is not lost.
        this.#database = null;
      }
    }
    const after = make(null);
    if (after !== undefined) this.#keep(after);
    return now;
  }

  #keep(record) {
    this.#memory = record;
    if (this.#hasLocal) {
      try {
        if (record) localStorage.setItem(this.#name, JSON.stringify(record));
        else localStorage.removeItem(this.#name);
      } catch {
        this.#hasLocal = false;
      }
    }
    this.#moved();
  }

  // IndexedDB has the record now, so no older one must win over it.
  #moved() {
    if (this.#database) {
      this.#memory = null;
      if (this.#hasLocal) localStorage.removeItem(this.#name);
    }
    this.#channel?.postMessage("");
  }
}
