// PBKDF2 with HMAC-SHA-256, for pages on plain http, where browsers have no `crypto.subtle`.
const primes = (count) => {
  const found = [];
  for (let n = 2; found.length < count; n += 1) if (found.every((prime) => n % prime)) found.push(n);
  return found;
};
// The first 32 bits of the fraction of a root, exactly.
const fraction = (prime, degree) => {
  const power = 32n * BigInt(degree);
  const wanted = BigInt(prime) << power;
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** BigInt(degree) <= wanted) low = middle;
    else high = middle;
  }
  return Number(BigInt.asIntN(32, low));
};
const K = Int32Array.from(primes(64), (prime) => fraction(prime, 3));
const START = Int32Array.from(primes(8), (prime) => fraction(prime, 2));
const W = new Int32Array(64);

// Return the state after one more block of 16 words.
const mixed = (state, block) => {
  W.set(block);
  for (let i = 16; i < 64; i += 1) {
    const x = W[i - 15];
    const y = W[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = (W[i - 16] + s0 + W[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return Int32Array.of(
    state[0] + a, state[1] + b, state[2] + c, state[3] + d,
    state[4] + e, state[5] + f, state[6] + g, state[7] + h,
  );
};

// Return the state after some bytes, of which `before` bytes came earlier.
const ended = (state, bytes, before) => {
  const length = Math.ceil((bytes.length + 9) / 64) * 64;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(length - 4, (bytes.length + before) * 8);
  for (let start = 0; start < length; start += 64) {
    state = mixed(state, Int32Array.from({ length: 16 }, (_, i) => view.getInt32(start + 4 * i)));
  }
  return state;
};

// A block that ends a message of one block and 32 bytes: a digest, and the padding.
const tail = new Int32Array(16);
tail[8] = 0x80000000 | 0;
tail[15] = (64 + 32) * 8;
const next = (state, digest) => {
  tail.set(digest);
  return mixed(state, tail);
};

// Return 32 bytes. The password has 64 bytes at most.
export const pbkdf2 = (password, salt, iterations) => {
  const key = new Uint8Array(64);
  key.set(password);
  const words = (mask) => {
    const view = new DataView(Uint8Array.from(key, (byte) => byte ^ mask).buffer);
    return Int32Array.from({ length: 16 }, (_, i) => view.getInt32(4 * i));
  };
  const inner = mixed(START, words(0x36));
  const outer = mixed(START, words(0x5c));
  const first = new Uint8Array(salt.length + 4);
  first.set(salt);
  first[salt.length + 3] = 1;
  let last = next(outer, ended(inner, first, 64));
  const sum = Int32Array.from(last);
  for (let i = 1; i < iterations; i += 1) {
    last = next(outer, next(inner, last));
    for (let j = 0; j < 8; j += 1) sum[j] ^= last[j];
  }
  const view = new DataView(new ArrayBuffer(32));
  sum.forEach((word, i) => view.setInt32(4 * i, word));
  return view.buffer;
};
