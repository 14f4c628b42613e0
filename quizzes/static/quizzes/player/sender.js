// Sends what this device has and the server has not: one request at a time, each until its outcome is
// known. It knows nothing of the page.
//
// Every request says the whole state, so it can be repeated. `state` of a record is "open",
// "finishing", or "finished". `sent` is the newest `rev` that the server has.

const LONGEST_PAUSE = 60;
const ANSWER_SECONDS = 20;
const LOSSES_MAX = 3;
// What no further request would change.
const FINAL = new Set(["changed", "closed", "refused"]);
// Browsers let a request outlive its page only if it is small.
const KEPT_ALIVE_MAX = 60_000;

const encoded = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const newSecret = () => encoded(crypto.getRandomValues(new Uint8Array(32)));

// Return a UUID of version 7: the time, and 74 random bits.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setUint32(0, Math.floor(Date.now() / 65536));
  new DataView(bytes.buffer).setUint16(4, Date.now() % 65536);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

class Pause extends Error {
  constructor(state, seconds = null) {
    super(state);
    this.state = state;
    this.seconds = seconds;
  }
}

export class Sender {
  // "idle", "sending", or why nothing is sent now: "offline" (no answer), "busy" (the server asks to
  // wait), "changed", "closed", or "refused".
  state = "idle";
  #address;
  #store;
  #tell;
  #solve;
  #lock;
  #failures = 0;
  #losses = 0;
  #running = null;
  #again = false;
  #timer;
  #until = 0;

  // `tell` is called when something has changed, with the errors of a refusal, if there are any.
  // `solve` returns the solution of a challenge.
  constructor({ address, store, tell, solve, lock }) {
    this.#address = address;
    this.#store = store;
    this.#tell = tell;
    this.#solve = solve;
    this.#lock = lock;
  }

  // Send what waits, unless a pause has not ended yet; `now` ends the pause.
  wake(now = false) {
    if (now) this.#failures = 0;
    if (!now && this.#until > performance.now()) return;
    clearTimeout(this.#timer);
    this.#until = 0;
    this.#again = true;
    this.#running ??= this.#run();
  }

  async #run() {
    while (this.#again) {
      this.#again = false;
      try {
        await this.#lock(() => this.#drain());
        this.#failures = 0;
        this.#become("idle");
      } catch (error) {
        this.#pause(error);
      }
    }
    this.#running = null;
  }

  #become(state, errors) {
    this.state = state;
    this.#tell(errors);
  }

  #pause(error) {
    const { state, seconds } = error instanceof Pause ? error : new Pause("offline");
    this.#become(state);
    if (FINAL.has(state)) return;
    this.#failures += 1;
    const wait = Math.min(LONGEST_PAUSE, seconds ?? 2 ** Math.min(6, this.#failures)) * (0.75 + Math.random() / 2);
    this.#until = performance.now() + 1000 * wait;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), 1000 * wait + 1);
  }

  async #drain() {
    for (;;) {
      const record = await this.#store.read();
      if (record?.state === "finished") {
        if (!record.contact) return;
        await this.#give(record);
      } else if (record && record.rev > record.sent) await this.#save(record);
      else if (record?.state === "finishing") await this.#finish(record);
      else return;
    }
  }

  // Change the record, unless another attempt has replaced it meanwhile.
  #update(record, change) {
    return this.#store.update((now) => (now?.id === record.id ? (change(now), now) : undefined));
  }

  async #save(record) {
    const { rev, version, language, answers, at, times, source } = record;
    const { status, code, errors } = await this.#send(record, "PUT", "", { rev, version, language, answers, at, times, source });
    if (status === 200 || status === 201) await this.#update(record, (now) => (now.sent = Math.max(now.sent, rev)));
    else if (code === "already_finished") await this.#show(record);
    else if (code === "stale_revision" || code === "revision_conflict") await this.#overtake(record);
    else if (code === "quiz_changed") throw new Pause("changed");
    else if (status === 404) await this.#lose(record, { id: newId(), sent: 0 });
    else if (status === 400) await this.#refuse(record, errors);
    else throw new Pause(status === 410 ? "closed" : "refused");
  }

  // Another window without storage has this id, or the server no longer has the attempt. It may also
  // be the quiz that is gone.
  async #lose(record, changes) {
    this.#losses += 1;
    if (this.#losses > LOSSES_MAX) throw new Pause("refused");
    await this.#update(record, (now) => Object.assign(now, changes));
  }

  // This device has the newest answers, so its next state comes after the one that the server has.
  async #overtake(record) {
    const { status, body } = await this.#send(record, "GET", "");
    if (status !== 200) throw new Pause("busy");
    if (body.state === "finished") return this.#show(record);
    await this.#update(record, (now) => (now.rev = Math.max(now.rev, body.rev + 1)));
  }

  async #finish(record) {
    const { rev, answers } = record;
    const { status, code, body, errors } = await this.#send(record, "POST", "finish/", { rev, answers });
    if (status === 200 || status === 201) await this.#end(record, body);
    else if (code === "already_finished") await this.#show(record);
    else if (code === "stale_revision" || code === "revision_conflict") await this.#overtake(record);
    else if (status === 404) await this.#lose(record, { sent: 0 });
    else if (status === 400) await this.#refuse(record, errors);
    else throw new Pause(status === 410 ? "closed" : "refused");
  }

  #refuse(record, errors) {
    this.#tell(errors);
    return this.#update(record, (now) => Object.assign(now, { state: "open", sent: Math.max(now.sent, now.rev) }));
  }

  // What was typed is not kept on the device any longer than it is needed.
  #end(record, result) {
    return this.#update(record, (now) => Object.assign(now, { state: "finished", result, answers: {}, times: {}, source: {} }));
  }

  // Read the result of an attempt that is finished. One that waits for an address has no words yet.
  async #show(record) {
    const { status, body, code } = await this.#send(record, "GET", "result/");
    if (status === 200) return this.#end(record, body);
    if (code !== "contact_required") throw new Pause("busy");
    return this.#end(record, { contact: "before_result", headline: null });
  }

  async #give(record) {
    const { status, body, errors } = await this.#send(record, "POST", "contact/", record.contact);
    if (status === 202) {
      await this.#update(record, (now) => Object.assign(now, { contact: null, given: body.sent_to ?? true }));
      return record.result.headline ? undefined : this.#show(record);
    }
    await this.#update(record, (now) => (now.contact = null));
    this.#tell(errors ?? [{ code: "refused", attr: "email" }]);
  }

  // Return the answer, with the first error's code. Throw a Pause if there is none for now.
  async #send(record, method, place, json, solution = "") {
    const text = json && JSON.stringify(json);
    const headers = { Accept: "application/json", Authorization: `Attempt ${record.secret}` };
    if (json) headers["Content-Type"] = "application/json";
    if (solution) headers.Challenge = solution;
    this.#become("sending");
    let answer;
    let body = null;
    try {
      answer = await fetch(`${this.#address}attempts/${record.id}/${place}`, {
        method,
        headers,
        body: text,
        credentials: "omit",
        keepalive: document.visibilityState === "hidden" && (text?.length ?? 0) < KEPT_ALIVE_MAX,
        signal: AbortSignal.timeout(1000 * ANSWER_SECONDS),
      });
      body = await answer.json();
    } catch {
      // An answer that is cut off, or that a proxy made, says nothing of what was done.
      if (!answer || answer.ok) throw new Pause("offline");
    }
    const { status } = answer;
    const code = body?.errors?.[0]?.code;
    if (status === 428 && !solution) return this.#send(record, method, place, json, await this.#solved());
    if (status === 428 || status === 429 || status >= 500) throw new Pause("busy", Number(answer.headers.get("Retry-After")) || null);
    return { status, body, code, errors: body?.errors };
  }

  async #solved() {
    try {
      return await this.#solve();
    } catch {
      throw new Pause("busy");
    }
  }
}
