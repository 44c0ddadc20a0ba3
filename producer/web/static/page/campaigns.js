// Campaigns: one row each, those that are open live, all of them page by page.
import { buttons } from "/page/actions.js";
import { spark } from "/page/chart.js";
import { attribute, byId, el, keep, text } from "/page/dom.js";
import { after, count, fully, money, plural, rate, short, when, words } from "/page/format.js";
import { ask, ring, state } from "/page/state.js";

const STEP = 100;
const MOST_OPEN = 500;
const MOST_ALL = 1000;
const PAGE = 50;

// In this order in the bar; the class gives the colour.
export const KINDS = [
  ["delivered", "good"], ["submitted", "sent"], ["unconfirmed", "sent"], ["sending", "going"], ["unknown", "odd"],
  ["undelivered", "bad"], ["refused", "bad"], ["dead", "bad"],
  ["opted_out", "out"], ["expired", "out"], ["cancelled", "out"], ["ready", "rest"],
];
const OVER = ["delivered", "submitted", "unconfirmed", "undelivered", "refused", "dead", "opted_out", "expired", "cancelled"];

const of = (campaign, names) => names.reduce((sum, name) => sum + (campaign.counts[name] || 0), 0);

export const bar = () => {
  const parts = KINDS.map(([, kind]) => el("span", { class: `part ${kind}` }));
  const node = el("div", { class: "bar", role: "img" }, parts);
  node.update = (campaign) => {
    KINDS.forEach(([name], n) => {
      parts[n].style.flexGrow = campaign.counts[name] || 0;
    });
    attribute(node, "aria-label", told(campaign));
  };
  return node;
};

const told = (campaign) =>
  KINDS.filter(([name]) => campaign.counts[name])
    .map(([name]) => `${count(campaign.counts[name])} ${words(name)}`)
    .join(", ");

const progress = (campaign) => {
  const through = of(campaign, OVER);
  const share = campaign.accepted ? Math.floor((through / campaign.accepted) * 100) : 100;
  const notes = ["unknown", "undelivered", "refused", "dead"]
    .filter((name) => campaign.counts[name])
    .map((name) => `${count(campaign.counts[name])} ${words(name)}`);
  return [`${share} %`, `${count(through)} of ${count(campaign.accepted)}`, ...notes].join(" · ");
};

const ends = (campaign) => {
  if (["cancelled", "expired", "finished"].includes(campaign.state)) return campaign.state;
  if (campaign.state === "paused") return "until somebody resumes it";
  return of(campaign, ["ready", "sending"]) ? after(campaign.eta_seconds) : "all sent";
};

// What its name is to people: its tags, where it has some.
export const named = (campaign) => (campaign.tags || []).join(", ");

// As people see it: one whose messages go is not merely ready.
export const standing = (campaign) => (campaign.state === "ready" && campaign.rate > 0 ? "sending" : campaign.state);

const row = (first) => {
  const name = named(first);
  const title = el("a", { class: name ? "title" : "title id", href: `#/campaigns/${encodeURIComponent(first.campaign_id)}` }, name || first.campaign_id);
  const mark = el("span", { class: "mark" });
  const about = el("span", {});
  const line = bar();
  const at = el("p", { class: "quiet at" });
  const why = el("p", { class: "why" });
  const speed = el("span", { class: "speed" });
  const small = spark();
  const end = el("p", { class: "end" });
  const cost = el("p", { class: "cost" });
  const estimate = el("p", { class: "quiet" });
  const acts = buttons();
  const node = el("li", { class: "campaign", "data-id": first.campaign_id },
    el("div", { class: "what" }, el("p", {}, title, " ", mark),
      el("p", { class: "quiet about" }, name ? el("span", { class: "id" }, first.campaign_id) : "", about)),
    el("div", { class: "how" }, line, at, why),
    el("div", { class: "fast" }, el("p", {}, small, speed), end),
    el("div", { class: "dear" }, cost, estimate),
    acts);
  node.update = (campaign) => {
    text(mark, standing(campaign));
    attribute(mark, "class", `mark ${standing(campaign)}`);
    text(about, `${name ? " " : `${short(campaign.profile)} · `}${campaign.priority} · ${when(campaign.created)}`);
    attribute(about, "title", `profile ${campaign.profile}, ${fully(campaign.created)}`);
    line.update(campaign);
    text(at, progress(campaign));
    text(why, campaign.why || (campaign.waits_for ? `It waits for ${campaign.waits_for}.` : ""));
    const moves = campaign.state === "ready" && of(campaign, ["ready", "sending"]) > 0;
    text(speed, moves ? `${rate(campaign.rate)}/s` : "");
    small.toggleAttribute("hidden", !moves);
    if (moves) small.draw(ring(state.rates, campaign.campaign_id).points);
    text(end, ends(campaign));
    text(cost, money(campaign.cost));
    text(estimate, `of ~${money(campaign.estimated_cost)}`);
    acts.update(campaign);
  };
  return node;
};

export class Campaigns {
  // `widen(most)` asks for more open ones.
  constructor(widen) {
    this.mode = "open";
    this.chosen = false;
    this.most = 50;
    this.all = [];
    this.next = null;
    this.widen = widen;
    byId("open-ones").addEventListener("click", () => this.choose("open"));
    byId("all-ones").addEventListener("click", () => this.choose("all"));
    byId("more-campaigns").addEventListener("click", () => this.more());
    document.addEventListener("acted", () => this.refresh());
  }

  choose(mode) {
    this.chosen = true;
    this.mode = mode;
    this.refresh();
    this.draw();
  }

  // Only the first page is looked at again and again: what is older has mostly ended.
  async refresh() {
    if (this.mode !== "all" || this.busy) return;
    this.busy = true;
    try {
      const { campaigns, next } = await ask(`/v1/campaigns?limit=${PAGE}`);
      const fresh = new Set(campaigns.map((each) => each.campaign_id));
      const older = this.all.filter((each) => !fresh.has(each.campaign_id));
      if (!older.length) this.next = next;
      this.all = [...campaigns, ...older].slice(0, MOST_ALL);
      this.draw();
    } catch {
      // the stream says what is wrong
    } finally {
      this.busy = false;
    }
  }

  async more() {
    if (this.mode === "open") {
      this.most = Math.min(this.most + STEP, MOST_OPEN);
      this.widen(this.most);
      return;
    }
    const { campaigns, next } = await ask(`/v1/campaigns?limit=${PAGE}&cursor=${this.next}`).catch(() => ({ campaigns: [], next: this.next }));
    this.all.push(...campaigns);
    this.next = this.all.length < MOST_ALL ? next : null;
    this.draw();
  }

  draw() {
    const open = state.facts.campaigns || [];
    if (!this.chosen && this.mode === "open" && state.facts.campaigns && !open.length) {
      this.mode = "all";
      this.refresh();
    }
    const live = new Map(open.map((each) => [each.campaign_id, each]));
    const shown = this.mode === "open" ? open : this.all.map((each) => live.get(each.campaign_id) || each);
    keep(byId("campaign-list"), shown, (each) => each.campaign_id, row);
    const left = Math.max(0, ((state.facts.total || {}).campaigns || 0) - open.length);
    attribute(byId("open-ones"), "aria-pressed", this.mode === "open");
    attribute(byId("all-ones"), "aria-pressed", this.mode === "all");
    text(byId("open-ones"), `Open ${count(open.length + left)}`);
    byId("no-campaigns").hidden = shown.length > 0;
    text(byId("no-campaigns"), this.mode === "open" ? "Nothing is open: all that was pushed has gone." : "No campaign yet: volley send, or POST /v1/campaigns.");
    const more = this.mode === "open" ? left > 0 && this.most < MOST_OPEN : this.next !== null;
    byId("more-campaigns").hidden = !more;
    text(byId("more-campaigns"), this.mode === "open" ? `Show more (${plural(left, "more campaign")})` : "Show older ones");
  }
}
