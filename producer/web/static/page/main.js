// The page: a key, a stream, and what it tells drawn once a frame at most.
import { Campaigns } from "/page/campaigns.js";
import { Detail } from "/page/detail.js";
import { attribute, byId, text } from "/page/dom.js";
import { exactly } from "/page/format.js";
import { Charts, aboutAccount, panels } from "/page/panels.js";
import { ask, merge, state } from "/page/state.js";
import { watch } from "/page/stream.js";

const KEPT = "volley-key";
const ALL_MS = 5000;

const OLD_MS = 15000;

let watching = null;
let gathered = "";
let gatheredMs = 0;
let due = false;
const charts = new Charts();
const detail = new Detail();
const campaigns = new Campaigns(() => begin());

const draw = () => {
  due = false;
  if (detail.id) return detail.draw();
  aboutAccount();
  panels(state.facts);
  campaigns.draw();
};

const soon = () => {
  if (due) return;
  due = true;
  requestAnimationFrame(draw);
};

const told = (kind, value) => {
  if (kind === "hello") {
    state.may = value.may;
    text(byId("key-name"), `${value.name} (${value.scopes.join(", ")})`);
  } else if (kind === "facts") {
    merge(value);
    fresh(value.about?.at);
    charts.add(state.facts);
    soon();
  }
};

// The stream goes on where the figures do not: with very much to look at, serve looks less often, and the page says so.
const fresh = (at) => {
  if (at && at !== gathered) {
    gathered = at;
    gatheredMs = Date.now();
  }
  const oldMs = Date.now() - gatheredMs;
  if (oldMs > OLD_MS) live("old", `live; the figures are ${Math.round(oldMs / 1000)} s old`);
  else live("on", "live");
};

const says = {
  live: () => {},
  away: (words) => {
    const since = byId("live").dataset.state === "away" ? byId("live").dataset.since : exactly(new Date().toISOString());
    byId("live").dataset.since = since;
    live("away", `not live since ${since}: ${words}; trying again`);
  },
  refused: (words) => leave(words),
};

const live = (kind, words) => {
  attribute(byId("live"), "data-state", kind);
  text(byId("live"), words);
};

const begin = () => {
  watching?.abort();
  watching = new AbortController();
  watch(`/v1/facts/stream?campaigns=${campaigns.most}`, state.key, told, says, watching.signal);
};

const enter = (key) => {
  state.key = key;
  sessionStorage.setItem(KEPT, key);
  byId("ask").hidden = true;
  for (const id of ["page", "nav", "who"]) byId(id).hidden = false;
  begin();
  ask("/v1/facts/history").then(({ points }) => charts.begin(points)).catch(() => {});
  route();
};

const leave = (words = "") => {
  watching?.abort();
  sessionStorage.removeItem(KEPT);
  state.key = "";
  state.facts = {};
  detail.show(null);
  for (const id of ["page", "nav", "who"]) byId(id).hidden = true;
  byId("ask").hidden = false;
  byId("key").value = "";
  text(byId("refused"), words);
  live("off", "not live");
  byId("key").focus();
};

const route = () => {
  const found = location.hash.match(/^#\/campaigns\/([^/]+)$/);
  const was = detail.id;
  detail.show(found ? decodeURIComponent(found[1]) : null);
  if (!found) {
    draw();
    if (was && location.hash.length > 1) byId(location.hash.slice(1))?.scrollIntoView();
  }
};

addEventListener("hashchange", () => state.key && route());
byId("forget").addEventListener("click", () => leave());
byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = byId("key").value.trim();
  if (key) enter(key);
});
setInterval(() => state.key && !document.hidden && !detail.id && campaigns.refresh(), ALL_MS);

const kept = sessionStorage.getItem(KEPT);
if (kept) enter(kept);
else leave();
