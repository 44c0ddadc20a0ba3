// One campaign, with all that is known of it.
import { buttons } from "/page/actions.js";
import { KINDS, bar, named, standing } from "/page/campaigns.js";
import { chart } from "/page/chart.js";
import { attribute, byId, el, keep, text } from "/page/dom.js";
import { after, count, exactly, fully, money, rate, span, when, words } from "/page/format.js";
import { ask, follow, ring, state } from "/page/state.js";
import { action } from "/page/panels.js";

const EVERY_MS = 2000;
const WHY_MS = 6000;
const WAITS = {
  rate: "their turn, at the rates of account, profile and senders",
  pinned: "one sender, whom their people are pinned to",
  retry: "their next attempt",
  window: "a start time or the end of quiet hours",
  budget: "more budget",
  paused: "somebody to resume it",
  unserved: "a sender that may send to their country",
  ending: "nothing: they end with their campaign",
};

const facts = (campaign) => [
  ["Profile", campaign.profile],
  ["Priority", campaign.priority],
  ["From", campaign.from || "the pool"],
  ["Made", when(campaign.created), fully(campaign.created)],
  ["First sent", exactly(campaign.first_sent), fully(campaign.first_sent)],
  ["Last sent", exactly(campaign.last_sent), fully(campaign.last_sent)],
  ["Sent before", when(campaign.expires), fully(campaign.expires)],
  ["Ends", ["ready"].includes(campaign.state) ? after(campaign.eta_seconds) : campaign.state],
  ["Rate", `${rate(campaign.rate)} parts/s${campaign.rate_cap ? `, at most ${rate(campaign.rate_cap)}` : ""}`],
  ["Parts", `${count(campaign.sent_parts)} of ${count(campaign.parts)}`],
  ["Cost so far", money(campaign.cost)],
  ["Estimated", money(campaign.estimated_cost)],
  ["Rejected rows", count(campaign.rejected)],
  ["Duplicates", count(campaign.duplicates)],
  ["Opted out", count(campaign.opted_out)],
  ...(campaign.quiet_hours ? [["Quiet hours", campaign.quiet_hours]] : []),
  ...(campaign.start ? [["Starts", when(campaign.start), fully(campaign.start)]] : []),
  ["If unknown", words(campaign.on_unknown || "")],
];

// The reckoning tells its ends in UTC; here all else is in the time of who looks.
const told = (cause) => (cause.ends ? cause.says.replace(/ ends [-0-9: ]+ UTC$/, ` ends ${exactly(cause.ends)}, in ${span(cause.seconds)}`) : cause.says);
const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}${words.endsWith(".") ? "" : "."}`;

const why = (campaign, live, causes) => {
  const sentences = causes.map(told);
  if (!sentences.length && live && live.why) sentences.push(live.why);
  else if (!sentences.length && campaign.waits_for) sentences.push(`It waits for ${campaign.waits_for}.`);
  for (const [name, n] of Object.entries((!causes.length && live && live.waits) || {})) {
    if (n) sentences.push(`${count(n)} wait for ${WAITS[name] || words(name)}.`);
  }
  if (live && live.oldest_due_seconds) sentences.push(`The oldest has been due for ${span(live.oldest_due_seconds)}.`);
  for (const each of campaign.set_aside || []) {
    sentences.push(`${count(each.messages)} messages of chunk ${each.chunk} were set aside: volley campaigns dead ${campaign.campaign_id}`);
  }
  return sentences.map(sentence);
};

export class Detail {
  constructor() {
    this.id = null;
    document.addEventListener("acted", () => this.look());
  }

  show(id) {
    if (id === this.id) return;
    if (this.id) ring(state.rates, this.id).watched = false;
    this.id = id;
    clearInterval(this.timer);
    byId("detail").hidden = !id;
    byId("board").hidden = Boolean(id);
    document.title = id ? `${id} – Volley` : "Volley";
    document.body.classList.toggle("one", Boolean(id));
    if (!id) return;
    ring(state.rates, id).watched = true;
    ring(state.costs, id).watched = true;
    this.make(id);
    this.look();
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  make(id) {
    this.parts = {
      title: el("h1", { id: "detail-h", tabindex: "-1" }, `Campaign ${id}`),
      id: el("p", { class: "quiet id" }),
      mark: el("span", { class: "mark" }),
      error: el("p", { class: "error", role: "alert" }),
      acts: buttons(),
      bar: bar(),
      legend: el("ul", { class: "legend" }),
      why: el("ul", { class: "lines plainly" }),
      rate: chart("Parts a second", "rate", (value) => rate(value)),
      cost: chart("Cost", "cost", (value) => value.toFixed(2)),
      facts: el("dl", { class: "facts" }),
      audit: el("ul", { class: "lines" }),
    };
    const p = this.parts;
    byId("detail").replaceChildren(
      el("p", {}, el("a", { href: "#campaigns" }, "← All campaigns")),
      el("div", { class: "head" }, p.title, p.mark, p.acts),
      p.id, p.error, p.bar, p.legend,
      el("h2", {}, "What it waits for"), p.why,
      el("div", { class: "charts two" }, p.rate, p.cost),
      el("h2", {}, "Facts"), p.facts,
      el("h2", {}, "Audit"), p.audit,
    );
    p.title.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  async look() {
    const id = this.id;
    if (!id || document.hidden) return;
    try {
      const found = await ask(`/v1/campaigns/${encodeURIComponent(id)}`);
      if (id !== this.id) return;
      text(this.parts.error, "");
      this.campaign = found;
      follow(found);
      this.causes = found.counts.ready ? await this.why(id) : [];
      this.draw();
    } catch (error) {
      if (id === this.id) text(this.parts.error, error.message);
    }
  }

  // The reckoning is dearer than a look, so it is asked for less often.
  async why(id) {
    if (Date.now() < (this.whyDue || 0) && this.whyOf === id) return this.causes;
    this.whyDue = Date.now() + WHY_MS;
    this.whyOf = id;
    const found = await ask(`/v1/why/${encodeURIComponent(id)}`).catch(() => ({ causes: [] }));
    return found.causes;
  }

  draw() {
    const campaign = this.campaign;
    if (!this.id || !campaign || campaign.campaign_id !== this.id) return;
    const p = this.parts;
    const live = (state.facts.campaigns || []).find((each) => each.campaign_id === this.id);
    const name = named(campaign);
    text(p.title, name || `Campaign ${this.id}`);
    text(p.id, name ? this.id : "");
    text(p.mark, standing(campaign));
    attribute(p.mark, "class", `mark ${standing(campaign)}`);
    p.acts.update(campaign);
    p.bar.update(campaign);
    keep(p.legend, KINDS.filter(([name]) => campaign.counts[name]), ([name]) => name, ([name, kind]) => {
      const value = el("b");
      const node = el("li", {}, el("span", { class: `dot ${kind}` }), `${words(name)} `, value);
      node.update = () => text(value, count(this.campaign.counts[name]));
      return node;
    });
    const sentences = why(campaign, live, this.causes || []);
    keep(p.why, sentences.length ? sentences : ["Nothing."], (each) => each, (each) => {
      const node = el("li", {}, each);
      node.update = () => {};
      return node;
    });
    p.rate.draw(ring(state.rates, this.id).points);
    p.cost.draw(ring(state.costs, this.id).points);
    keep(p.facts, facts(campaign), ([name]) => name, ([name]) => {
      const value = el("dd");
      const node = el("div", {}, el("dt", {}, name), value);
      node.update = ([, words_, title]) => {
        text(value, words_);
        if (title) attribute(value, "title", title);
      };
      return node;
    });
    const actions = (state.facts.actions || []).filter((each) => each.campaign_id === this.id);
    keep(p.audit, actions, (each) => `${each.at} ${each.who} ${each.what}`, action);
  }
}
