// Numbers, money and times as people read them here.
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const rate = (value) => {
  if (value === null || value === undefined) return "–";
  return value >= 100 || value === 0 ? whole.format(value) : tenths.format(value);
};
export const plural = (n, word, more = `${word}s`) => `${count(n)} ${n === 1 ? word : more}`;

// Decimal strings stay what they are; only what is too fine to read is cut off.
export const money = (found) => {
  if (!found) return "–";
  const amount = Number(found.amount);
  const digits = amount !== 0 && Math.abs(amount) < 1 ? 4 : 2;
  return `${amount.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: digits })} ${found.currency}`;
};
export const micros = (value, currency) => money({ amount: String(value / 1e6), currency });

export const span = (s) => {
  if (s === null || s === undefined) return "–";
  if (s < 1) return "under 1 s";
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${tenths.format(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
};

const sameDay = (a, b) => a.toDateString() === b.toDateString();
export const when = (iso) => {
  if (!iso) return "–";
  const moment = new Date(iso);
  return sameDay(moment, new Date()) ? clock.format(moment) : day.format(moment);
};
export const exactly = (iso) => (iso ? seconds.format(new Date(iso)) : "–");
export const fully = (iso) => (iso ? full.format(new Date(iso)) : "");
export const after = (s) => {
  if (s === null || s === undefined) return "not at this rate";
  if (s <= 0) return "now";
  return `${when(new Date(Date.now() + s * 1000).toISOString())} (in ${span(s)})`;
};
export const bytes = (n) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000;
    at += 1;
  }
  return `${at ? tenths.format(n) : n} ${units[at]}`;
};
export const short = (id) => (id.length > 12 ? `${id.slice(0, 8)}…` : id);
export const words = (name) => name.replaceAll("_", " ");
