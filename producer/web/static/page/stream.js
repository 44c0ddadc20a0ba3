// The stream of facts. EventSource cannot send a key, so it is read by fetch; it comes back by itself.
const SILENT_MS = 8000;
const FIRST_MS = 400;
const LONGEST_MS = 5000;

export class Refused extends Error {}

const parse = (block) => {
  let kind = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return [kind, data.join("\n")];
};

// Calls `tell(kind, value)` for each event until the stream ends. Refused where the key is not taken.
const once = async (url, key, tell, stopped) => {
  const control = new AbortController();
  const abort = () => control.abort();
  stopped.addEventListener("abort", abort);
  let silence = setTimeout(abort, SILENT_MS);
  try {
    const answer = await fetch(url, {
      headers: { Authorization: `Bearer ${key}`, Accept: "text/event-stream" },
      cache: "no-store",
      signal: control.signal,
    });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      const words = problem.detail || `serve answered ${answer.status}`;
      throw answer.status === 401 || answer.status === 403 ? new Refused(words) : new Error(words);
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(abort, SILENT_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const [kind, data] = parse(block);
        if (kind === "over") return;
        if (kind === "away") throw new Error("Redis is away");
        tell(kind, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(silence);
    stopped.removeEventListener("abort", abort);
    control.abort();
  }
};

const pause = (ms, stopped) =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    stopped.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });

// Watches until `stopped`. `says.live()`, `says.away(words)`, `says.refused(words)`.
export const watch = async (url, key, tell, says, stopped) => {
  let wait = FIRST_MS;
  while (!stopped.aborted) {
    try {
      await once(url, key, (kind, value) => {
        wait = FIRST_MS;
        says.live();
        tell(kind, value);
      }, stopped);
    } catch (error) {
      if (stopped.aborted) return;
      if (error instanceof Refused) return says.refused(error.message);
      const unreachable = error.name === "AbortError" || error instanceof TypeError;
      says.away(unreachable ? "serve does not answer" : error.message);
      await pause(wait, stopped);
      wait = Math.min(wait * 2, LONGEST_MS);
    }
  }
};
