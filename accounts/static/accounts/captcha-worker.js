// Try counters until the derived key begins as the challenge says.
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const REPORT = 8;

const derived = async ({ salt, cost, keyLength }, password) => {
  if (!crypto.subtle) {
    const { pbkdf2 } = await import("./pbkdf2.js");
    return hex(pbkdf2(password, bytes(salt), cost));
  }
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  return hex(await crypto.subtle.deriveBits(how, key, 8 * keyLength));
};

self.onmessage = async ({ data: { parameters, start, step } }) => {
  try {
    const nonce = bytes(parameters.nonce);
    // The password is the nonce and the counter, in four bytes, the highest first.
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    const view = new DataView(password.buffer);
    let tries = 0;
    for (let counter = start; counter <= parameters.data.max; counter += step) {
      view.setUint32(nonce.length, counter);
      const derivedKey = await derived(parameters, password);
      if (derivedKey.startsWith(parameters.keyPrefix)) {
        self.postMessage({ found: { counter, derivedKey } });
        return;
      }
      tries += 1;
      if (tries === REPORT) {
        self.postMessage({ tries });
        tries = 0;
      }
    }
    self.postMessage({ tries });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
