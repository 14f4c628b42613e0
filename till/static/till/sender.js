// Sends what waits in the queue: in order, one at a time, each until its outcome is known. It knows
// nothing of the page; `fetch`, the clocks and the lock are given, so that tests can give others.
//
// `state` is "idle", "sending", or why nothing is sent: "offline" (no answer), "busy" (the server
// asks to wait), "signed_out", "other_account" (somebody else is signed in), or "device" (the queue
// cannot be read).

export const SKEW_TOLERATED = 60_000;
const LONGEST_PAUSE = 60;
const ANSWER_SECONDS = 20;
const SESSION_SECONDS = 300;
// After so many 500s an entry is set aside, because the next ones need not wait for a defect.
const FAILURES_MAX = 3;
const REFUSALS = new Set([400, 403, 409, 413, 415, 422]);

class Pause extends Error {
  constructor(state, seconds = null) {
    super(state);
    this.state = state;
    this.seconds = seconds;
  }
}

// Return what is sent for an entry. Its time is when it was typed, by the server's clock if the
// device's is wrong by more than a minute. Nothing was typed later than it is sent.
export function bodyOf(entry, skew, now) {
  const wrong = Math.abs(skew) > SKEW_TOLERATED ? skew : 0;
  const moment = Math.min(entry.typed_at + wrong, now + wrong);
  return { ...entry.fields, timestamp: new Date(moment).toISOString() };
}

export class Sender {
  state = "idle";
  until = 0;
  // Milliseconds from the device's clock to the server's.
  skew = 0;
  account;
  #queue;
  #fetch;
  #now;
  #ticks;
  #lock;
  #tell;
  #session = null;
  #failures = 0;
  #running = null;
  #again = false;
  #timer;

  // `account` is {id, name}. `tell` is called when the state has changed, with true when an entry
  // has.
  constructor({ queue, account, fetch, now = Date.now, ticks = () => performance.now(), lock, tell }) {
    this.#queue = queue;
    this.account = account;
    this.#fetch = fetch;
    this.#now = now;
    this.#ticks = ticks;
    this.#lock = lock;
    this.#tell = tell;
  }

  // Ask anew who is signed in and what time it is, then send what waits.
  recheck() {
    this.#session = null;
    return this.wake(true);
  }

  // Send what waits, unless a pause has not ended yet; `now` ends the pause.
  wake(now = false) {
    if (now) this.#failures = 0;
    return now || this.until <= this.#ticks() ? this.#start() : this.#running;
  }

  #start() {
    clearTimeout(this.#timer);
    this.until = 0;
    this.#again = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run() {
    while (this.#again && this.until <= this.#ticks()) {
      this.#again = false;
      try {
        await this.#lock(() => this.#drain());
        this.#become("idle");
      } catch (error) {
        this.#pause(error);
      }
    }
    this.#running = null;
  }

  #become(state) {
    this.state = state;
    this.#tell();
  }

  #pause(error) {
    const state = error instanceof Pause ? error.state : "device";
    // Somebody has to sign in, which wakes the sender; so it asks rarely by itself.
    const waits = { signed_out: 30, other_account: 30 }[state];
    const backoff = Math.min(LONGEST_PAUSE, 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    const seconds = error.seconds ?? waits ?? backoff;
    this.until = this.#ticks() + seconds * 1000;
    this.#timer = setTimeout(() => this.#start(), seconds * 1000);
    this.#become(state);
  }

  async #drain() {
    // Also where nothing waits, so that a wrong clock or a lost connection is seen at once.
    await this.#sessionNow();
    for (;;) {
      const entry = await this.#queue.next(this.account.id);
      if (!entry) return;
      if (this.state !== "sending") this.#become("sending");
      await this.#send(entry);
      this.#failures = 0;
    }
  }

  // Return the answer and its JSON. Throw Pause without a whole one.
  async #ask(path, options) {
    try {
      const response = await this.#fetch(path, {
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_SECONDS * 1000),
        ...options,
      });
      if ([429, 503].includes(response.status)) {
        const seconds = Number(response.headers.get("Retry-After"));
        throw new Pause("busy", seconds > 0 ? Math.min(seconds, 600) : null);
      }
      return { response, answer: await response.json() };
    } catch (error) {
      // An answer that is no JSON is not the server's own, but that of a proxy or a hotel.
      throw error instanceof Pause ? error : new Pause("offline");
    }
  }

  // Learn who is signed in, the CSRF token, and the time of the server.
  async #sessionNow() {
    if (this.#session && this.#ticks() < this.#session.ends) return this.#session;
    const before = this.#now();
    const { response, answer } = await this.#ask("/till/session/", {});
    if (!response.ok || typeof answer.csrf_token !== "string") throw new Pause("busy");
    const date = Date.parse(response.headers.get("Date") ?? "");
    // The header has whole seconds, so half of one is added.
    if (date) this.skew = date + 500 - (before + this.#now()) / 2;
    if (!answer.account) throw new Pause("signed_out");
    if (answer.account.id !== this.account.id) throw new Pause("other_account");
    this.#session = { token: answer.csrf_token, ends: this.#ticks() + SESSION_SECONDS * 1000 };
    return this.#session;
  }

  async #post(entry, body) {
    const { token } = await this.#sessionNow();
    const { response, answer } = await this.#ask("/api/v1/purchases/", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token, "Idempotency-Key": entry.key },
      body: JSON.stringify(body),
    });
    const code = answer?.errors?.[0]?.code;
    if (response.status === 401 || code === "csrf_failed") this.#session = null;
    return { response, answer, code };
  }

  async #send(entry) {
    const body = bodyOf(entry, this.skew, this.#now());
    // Without a correction the next attempt would make the same body.
    const durability = Date.parse(body.timestamp) === entry.typed_at ? "relaxed" : "strict";
    const frozen = await this.#queue.change(entry.seq, (now) => (now.body ? undefined : { ...now, body }), durability);
    // Another window has removed it.
    if (!frozen) return;
    let { response, answer, code } = await this.#post(entry, frozen.body);
    // A sign-in renews the token. If it is somebody else's, the question for the session pauses.
    if (code === "csrf_failed") ({ response, answer, code } = await this.#post(entry, frozen.body));
    if (response.ok && answer?.id) {
      const replayed = response.headers.has("Idempotent-Replayed");
      await this.#finish(entry, { state: "sent", purchase: answer, replayed, errors: null });
    } else if (REFUSALS.has(response.status) && code && !["csrf_failed", "https_required"].includes(code)) {
      await this.#finish(entry, { state: "refused", errors: answer.errors, unsure: false });
    } else if (response.status === 401) {
      throw new Pause("signed_out");
    } else if (response.status === 500) {
      const failures = entry.failures + 1;
      const gaveUp = failures >= FAILURES_MAX ? { state: "refused", errors: answer?.errors ?? [], unsure: true } : {};
      await this.#finish(entry, { failures, ...gaveUp });
      if (failures < FAILURES_MAX) throw new Pause("busy");
    } else {
      throw new Pause("busy");
    }
  }

  async #finish(entry, changes) {
    // If this is undone, the entry is sent again, and it is recorded once all the same.
    await this.#queue.change(entry.seq, (now) => ({ ...now, ...changes }), "relaxed");
    this.#tell(true);
  }
}
