// All that is beside campaigns: what stands out, figures, charts, profiles, senders, workers, the carrier, texts, actions, the system.
import { chart } from "/page/chart.js";
import { attribute, byId, el, keep, table, text } from "/page/dom.js";
import { after, bytes, count, exactly, fully, micros, money, plural, rate, short, span, when, words } from "/page/format.js";
import { state } from "/page/state.js";

const item = (fields, kind = "") => {
  const node = el("li", { class: kind });
  node.update = (value) => fields(value, node);
  return node;
};

// Notes that say what a red line or the list of campaigns says already.
const SHOWN = /^(all sending is|the carrier does not answer|campaign \S+ is paused|[\d,]+ more campaigns are paused)/;

const banners = ({ about = {}, rests = [], conservation = {}, redis = {}, notes = [], ledger_away }) => {
  const found = [];
  if (about.circuit_open) found.push(["bad", "The circuit is open: the carrier does not answer, so sending stands still. One message at a time tries again."]);
  for (const each of rests) if (each.what === "sending") found.push(["bad", `All sending is ${each.reason}. To go on: volley resume --all`]);
  for (const each of conservation.broken || []) found.push(["bad", `The books do not add up: ${each}`]);
  if (redis.held) found.push(["odd", "Another Redis server has come: nothing is taken for a moment, until workers have told it what they sent."]);
  if (redis.aof_enabled === false || redis.aof_ok === false) found.push(["odd", `Redis writes no append-only file as it should${redis.aof_error ? `: ${redis.aof_error}` : ""}. A crash may lose what was acknowledged.`]);
  if (ledger_away) found.push(["odd", "The ledger's database is away: what happens is kept in Redis meanwhile; audit and inbound are as they were."]);
  for (const each of notes.filter((note) => !SHOWN.test(note))) found.push(["note", `${each[0].toUpperCase()}${each.slice(1)}.`]);
  keep(byId("banners"), found.slice(0, 12), (each) => each[1], ([kind, told]) => {
    const node = el("p", { class: `banner ${kind}` }, told);
    node.update = () => {};
    return node;
  });
};

const drains = (seconds) => (seconds === null ? ["–", "not at this rate, "] : [when(new Date(Date.now() + seconds * 1000).toISOString()), `in ${span(seconds)}, `]);

const tiles = ({ total, spend = [], queues = [] }) => {
  if (!total) return;
  const figures = [
    ["Ready", count(total.ready), `${count(total.due)} due now`],
    ["In flight", count(total.in_flight), plural(total.campaigns, "open campaign")],
    ["Rate", `${rate(total.rate)}/s`, total.rate > 0.95 * total.allowed_rate ? "all that is allowed" : `of ${rate(total.allowed_rate)}/s allowed`],
    ["Drains", total.ready ? drains(total.eta_seconds)[0] : "empty", `${total.ready ? drains(total.eta_seconds)[1] : ""}${plural(queues.filter((each) => each.ready).length, "profile")}`],
    ["Oldest due", span(total.oldest_due_seconds), total.due ? "waits for its rate" : "nothing is due"],
    ["Unknown", count(total.unknown), `${count(total.dead)} dead`, total.unknown ? "odd" : ""],
    ...spend.slice(0, 2).map((each) => [
      "Spend/min", each.per_minute_micros === null ? "–" : micros(each.per_minute_micros, each.currency),
      `${money({ amount: each.spent, currency: each.currency })} so far`,
    ]),
  ];
  keep(byId("tiles"), figures, (each) => (each[0] === "Spend/min" ? each[0] + each[2].split(" ")[1] : each[0]), ([name]) => {
    const value = el("dd", { class: "value" });
    const more = el("dd", { class: "quiet" });
    const node = el("div", {}, el("dt", {}, name), value, more);
    node.update = ([, figure, note, kind]) => {
      text(value, figure);
      text(more, note);
      attribute(node, "class", `tile ${kind || ""}`);
    };
    return node;
  });
};

// The history that serve keeps, and on from there what is told here.
export class Charts {
  constructor() {
    this.points = [];
    this.depth = chart("Queue depth", "depth", count);
    this.rate = chart("Parts a second", "rate", rate);
    this.spend = chart("Spend a minute", "cost", (value) => value.toFixed(2));
    byId("charts").replaceChildren(this.depth, this.rate, this.spend);
  }

  begin(points) {
    this.points = points;
    this.draw();
  }

  add({ total, spend = [] }) {
    if (!total) return;
    const at = Math.floor(Date.now() / 1000);
    const last = this.points[this.points.length - 1];
    const step = this.points.length < 120 ? 2 : 30;
    const micros_ = Object.fromEntries(spend.map((each) => [each.currency, each.per_minute_micros || 0]));
    this.now = { at, ready: total.ready, rate: total.rate, spend_micros: micros_ };
    if (!last || at - last.at >= step) this.points.push(this.now);
    if (this.points.length > 1080) this.points.shift();
    this.draw();
  }

  draw() {
    const currency = Object.keys(Object.assign({}, ...this.points.map((each) => each.spend_micros)))[0];
    const spent = (each) => (each.spend_micros[currency] || 0) / 1e6;
    for (const [drawn, of] of [[this.depth, (each) => each.ready], [this.rate, (each) => each.rate], [this.spend, spent]]) {
      drawn.draw(this.points.map((each) => [each.at, of(each)]), this.now && of(this.now));
    }
  }
}

const QUEUES = [
  { head: "Profile", cell: (each) => el("span", { title: each.profile }, short(each.profile)) },
  { head: "Ready", kind: "number", cell: (each) => count(each.ready) },
  { head: "Due", kind: "number minor", cell: (each) => count(each.due) },
  { head: "Oldest due", kind: "number", cell: (each) => span(each.oldest_due_seconds) },
  { head: "In flight", kind: "number minor", cell: (each) => count(each.in_flight) },
  { head: "Rate now", kind: "number", cell: (each) => `${rate(each.rate)}/s` },
  { head: "Allowed", kind: "number minor", cell: (each) => `${rate(each.allowed_rate)}/s` },
  { head: "Drains at", kind: "minor", cell: (each) => (each.ready ? after(each.eta_seconds) : "empty") },
  { head: "Rests until", kind: "minor", cell: (each) => exactly(each.resting_until) },
];
const POOLS = [
  { head: "Pool", cell: (each) => `${short(each.profile)} · ${words(each.type)}` },
  { head: "Senders", kind: "number minor", cell: (each) => count(Object.values(each.states).reduce((a, b) => a + b, 0)) },
  { head: "Active", kind: "number", cell: (each) => count((each.states.active || 0) + (each.states.kept || 0)) },
  { head: "Resting", kind: "number minor", cell: (each) => count(each.states.resting || 0) },
  { head: "Used", kind: "number", cell: (each) => `${rate(each.used)}/s` },
  { head: "Allowed", kind: "number", cell: (each) => `${rate(each.rate)}/s` },
  { head: "People pinned", kind: "number minor", cell: (each) => count(each.pins) },
];
const used = (each) => {
  const node = el("span", { class: "used" }, `${rate(each.used)} of ${rate(each.rate)}/s`);
  node.style.setProperty("--share", `${Math.min(100, ((each.used || 0) / Math.max(each.rate, 0.001)) * 100)}%`);
  return node;
};
const SENDERS = [
  { head: "Sender", cell: (each) => each.number },
  { head: "Type", kind: "minor", cell: (each) => words(each.type) },
  { head: "Used", cell: used },
  { head: "Sent today", kind: "number", cell: (each) => count(each.sent_today) },
  { head: "Pins", kind: "number minor", cell: (each) => count(each.pins) },
  { head: "Health", cell: (each) => el("span", { class: `mark ${each.state}` }, each.state) },
  { head: "Why", cell: (each) => [each.reason, each.until ? `until ${exactly(each.until)}` : ""].filter(Boolean).join(", ") },
];
const WORKERS = [
  { head: "Process", cell: (each) => `${each.role} ${each.host}:${each.pid}` },
  { head: "Seen", kind: "minor", cell: (each) => exactly(each.seen) },
  { head: "In flight", kind: "number", cell: (each) => count(each.in_flight) },
  { head: "Rate", kind: "number", cell: (each) => (each.role === "worker" ? `${rate(each.rate)}/s` : "–") },
  { head: "Loop lag", kind: "number", cell: (each) => `${count(each.loop_lag_seconds * 1000)} ms` },
  { head: "Takes", cell: (each) => each.role === "serve" ? `${plural(each.watching, "page")} open` : (each.taking ? "yes" : each.why === "idle" ? "idle" : `no: ${each.why}`) },
  { head: "Version", kind: "minor", cell: (each) => each.version },
  { head: "Started", kind: "minor", cell: (each) => when(each.started) },
];
// What is no code of the carrier's.
const HAPPENED = {
  late: "its moment had passed; it goes again",
  no_answer: "the carrier took it, or not: no answer in time",
  no_connection: "nothing reached the carrier; it goes again",
};
const OUTCOMES = [
  { head: "Outcome", cell: (each) => words(each.outcome) },
  { head: "Code", cell: (each) => each.code || "–" },
  { head: "Meaning", kind: "minor", cell: (each) => each.meaning || HAPPENED[each.code] || "–" },
  { head: "Attempts", kind: "number", cell: (each) => count(each.count) },
];
const ERRORS = [
  { head: "Code", cell: (each) => each.code },
  { head: "Meaning", cell: (each) => each.meaning || "–" },
  { head: "Messages", kind: "number", cell: (each) => count(each.count) },
];

const unknowns = (campaigns) =>
  keep(byId("unknowns"), campaigns.length ? campaigns : [null], (each) => (each ? each.campaign_id : ""), () =>
    item((each, node) => {
      if (!each) return text(node, "None: of every message it is known whether the carrier has it.");
      const href = `#/campaigns/${encodeURIComponent(each.campaign_id)}`;
      const told = `${plural(each.counts.unknown, "message")}: nobody knows yet whether the carrier has ${each.counts.unknown === 1 ? "it" : "them"}. Never sent again on a guess.`;
      node.replaceChildren(el("a", { href, class: "id" }, short(each.campaign_id)), el("span", {}, told));
    }));

const letter = () =>
  item((each, node) => {
    const link = each.campaign_id ? el("a", { href: `#/campaigns/${encodeURIComponent(each.campaign_id)}`, class: "id" }, short(each.campaign_id)) : "";
    node.replaceChildren(
      el("span", { class: "meta" }, el("time", { datetime: each.at, title: fully(each.at) }, when(each.at)), ` ${each.from} → ${each.to} `, each.keyword ? el("b", {}, each.keyword) : "", " ", link),
      el("span", { class: "said-text" }, each.text || (each.media && each.media.length ? plural(each.media.length, "attachment") : "no text")));
  });

// `api:<id of the key> <its name>`, or who was at the command line.
const actor = (who) => {
  const key = who.match(/^api:(\S+) (.+)$/);
  return key ? el("span", { title: `API key ${key[1]}` }, ` ${key[2]} (API)`) : ` ${who}`;
};
const said = (name, value) => (name === "profile" ? short(String(value)) : typeof value === "object" ? JSON.stringify(value) : value);

export const action = () =>
  item((each, node) => {
    const detail = Object.entries(each.detail || {}).filter(([, value]) => value !== null && value !== "").slice(0, 6)
      .map(([name, value]) => `${words(name)} ${said(name, value)}`).join(", ");
    const link = each.campaign_id ? el("a", { href: `#/campaigns/${encodeURIComponent(each.campaign_id)}`, class: "id" }, short(each.campaign_id)) : "";
    node.replaceChildren(
      el("span", { class: "meta" }, el("time", { datetime: each.at, title: fully(each.at) }, when(each.at)), actor(each.who)),
      el("span", {}, el("b", {}, words(each.what)), " ", link, detail ? ` ${detail}` : ""));
  });

const system = ({ ledger, redis, conservation, about }) => {
  if (!ledger || !redis || !conservation) return;
  const memory = redis.max_bytes ? `${bytes(redis.used_bytes)} of ${bytes(redis.max_bytes)} (${Math.round(redis.used_ratio * 100)} %)` : `${bytes(redis.used_bytes)}, no limit set`;
  const audited = conservation.age_seconds === null ? "nobody audits" : `${plural(conservation.checked, "campaign")} looked at ${span(conservation.age_seconds)} ago`;
  const figures = [
    ["Conservation", (conservation.broken || []).length ? `${conservation.broken.length} broken` : `all sums are right; ${audited}`],
    ["Ledger lag", `${span(ledger.lag_seconds)}, ${count(ledger.entries)} of ${count(ledger.bound)} entries`],
    ["Redis", `${redis.version}, ${redis.role}, ${plural(redis.replicas, "replica")}`],
    ["Redis memory", memory],
    ["Append-only file", redis.aof_enabled ? (redis.aof_ok ? "on, well" : "on, failing") : "off"],
    ["Redis load", `${count(redis.commands_per_second)} commands/s, ${plural(redis.clients, "client")}`],
    ["Redis up", span(redis.uptime_seconds)],
    ["Volley", about ? about.version : "–"],
  ];
  keep(byId("system-facts"), figures, (each) => each[0], ([name]) => {
    const value = el("dd");
    const node = el("div", {}, el("dt", {}, name), value);
    node.update = ([, words_]) => text(value, words_);
    return node;
  });
};

// Workers first; without one, that stands there instead of a list of those that only serve.
const processes = ({ workers = [], serves = [] }) =>
  workers.length ? [...workers.map((each) => ({ ...each, role: "worker" })), ...serves.map((each) => ({ ...each, role: "serve" }))] : [];

const rested = (facts) => facts.rests?.filter((each) => each.what !== "stopped") || [];

export const panels = (facts) => {
  banners(facts);
  tiles(facts);
  const more = facts.more || {};
  table(byId("queues").querySelector(".wide"), QUEUES, facts.queues || [], (each) => each.profile, "No profile yet: volley numbers sync --profile ID");
  table(byId("pools"), POOLS, facts.pools || [], (each) => `${each.profile} ${each.type}`, "No pool yet.");
  table(byId("numbers"), SENDERS, facts.senders || [], (each) => `${each.profile} ${each.number}`, "No senders yet.");
  table(byId("workers").querySelector(".wide"), WORKERS, processes(facts), (each) => `${each.role} ${each.id}`, "No worker is running: volley worker");
  table(byId("outcomes"), OUTCOMES, facts.outcomes || [], (each) => `${each.outcome} ${each.code}`, "No attempt yet.");
  table(byId("errors"), ERRORS, facts.delivery_errors || [], (each) => each.code, "Every receipt so far says delivered.");
  text(byId("senders-h"), more.senders ? `Senders (${count(more.senders)} more: volley numbers list)` : "Senders");
  text(byId("queues-h"), more.queues ? `Profiles (${count(more.queues)} more)` : "Profiles");
  text(byId("carrier-h"), rested(facts).length ? `What the carrier said (${plural(rested(facts).length, "rest")})` : "What the carrier said");
  unknowns((facts.campaigns || []).filter((each) => each.counts.unknown).slice(0, 20));
  lines(byId("inbound"), facts.inbound || [], (each) => each.event_id, letter, "Nobody has written yet.");
  lines(byId("audit"), facts.actions || [], (each) => `${each.at} ${each.who} ${each.what} ${each.campaign_id}`, action, "Nothing was done yet.");
  system(facts);
};

const lines = (section, items, keyOf, make, none) => {
  const list = section.querySelector("ul");
  if (items.length) return keep(list, items, keyOf, make);
  return keep(list, [null], () => "", () => item((_, node) => text(node, none), "quiet"));
};

export const aboutAccount = () => text(byId("account"), state.facts.about ? state.facts.about.account : "");
