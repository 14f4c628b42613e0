// Solve a challenge of ALTCHA, version 2, shared out to workers.
const WORKERS = 4;

// Return the solution. `script` is the worker's; `told` gets the part that is done, from 0 to 1.
export const solved = (challenge, script, told) =>
  new Promise((resolve, reject) => {
    const { data } = challenge.parameters;
    const started = performance.now();
    let tried = 0;
    const count = Math.max(1, Math.min(WORKERS, navigator.hardwareConcurrency || 1));
    const workers = Array.from({ length: count }, () => new Worker(script, { type: "module" }));
    const end = (finish, value) => {
      workers.forEach((worker) => worker.terminate());
      finish(value);
    };
    workers.forEach((worker, index) => {
      worker.onerror = () => end(reject, new Error("worker"));
      worker.onmessage = ({ data: { found, error, tries } }) => {
        if (error) return end(reject, new Error(error));
        if (found) return end(resolve, { ...found, time: performance.now() - started });
        tried += tries;
        told(tried / data.max);
        if (tried >= data.max) end(reject, new Error("unsolved"));
      };
      worker.postMessage({ parameters: challenge.parameters, start: 1 + index, step: count });
    });
  });
