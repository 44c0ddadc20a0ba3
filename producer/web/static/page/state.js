// What is known: the sections of the snapshot as they were told last, and the rates of late of each campaign that is open.
import { Ring } from "/page/chart.js";

const KEPT = 180;

export const state = { facts: {}, may: [], key: "", rates: new Map(), costs: new Map() };

export const merge = (changed) => {
  Object.assign(state.facts, changed);
  if (!changed.campaigns) return;
  const now = Math.floor(Date.now() / 1000);
  const open = new Set();
  for (const each of changed.campaigns) {
    open.add(each.campaign_id);
    follow(each, now);
  }
  for (const rings of [state.rates, state.costs]) {
    for (const id of rings.keys()) if (!open.has(id) && rings.get(id).watched !== true) rings.delete(id);
  }
};

export const follow = (campaign, now = Math.floor(Date.now() / 1000)) => {
  ring(state.rates, campaign.campaign_id).add(now, campaign.rate);
  ring(state.costs, campaign.campaign_id).add(now, Number(campaign.cost.amount));
};

export const ring = (rings, id) => {
  if (!rings.has(id)) rings.set(id, new Ring(KEPT));
  return rings.get(id);
};

// Problems carry words that say what to do.
export const ask = async (path, options = {}) => {
  const answer = await fetch(path, {
    ...options,
    headers: { Authorization: `Bearer ${state.key}`, ...(options.body ? { "Content-Type": "application/json" } : {}) },
    cache: "no-store",
    signal: AbortSignal.timeout(20000),
  }).catch(() => {
    throw new Error("serve does not answer");
  });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.detail || `serve answered ${answer.status}`);
  return found;
};
