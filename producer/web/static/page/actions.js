// What may be done to a campaign: asked once more, done through the API like everything else, and so in the audit.
import { byId, el, text } from "/page/dom.js";
import { count, short } from "/page/format.js";
import { ask, state } from "/page/state.js";

const VERBS = {
  pause: {
    does: "Pause",
    words: "Nothing more of it is sent until somebody resumes it. What is in flight still goes.",
    fits: (campaign) => campaign.state === "ready" && open(campaign),
  },
  resume: {
    does: "Resume",
    words: "It goes on where it stopped, at its rate.",
    fits: (campaign) => campaign.state === "paused",
  },
  retry: {
    does: "Retry",
    words: "What failed is tried once more, and never what somebody may have got.",
    fits: (campaign) => failed(campaign) && !["cancelled", "expired"].includes(campaign.state),
  },
  cancel: {
    does: "Cancel",
    words: "It ends for good: what waits is never sent. This cannot be undone.",
    fits: (campaign) => ["ready", "paused"].includes(campaign.state) && open(campaign),
    grave: true,
  },
};

const failed = (campaign) => ["dead", "refused", "undelivered"].some((name) => campaign.counts[name]);
const open = (campaign) => ["ready", "sending", "unknown"].some((name) => campaign.counts[name]);

export const buttons = () => {
  const node = el("div", { class: "buttons" });
  const made = {}; // a button that stays is the very same: somebody may be about to press it
  let shown = "";
  node.update = (campaign) => {
    const verbs = Object.keys(VERBS).filter((verb) => state.may.includes(verb) && VERBS[verb].fits(campaign));
    node.campaign = campaign;
    if (shown === verbs.join()) return;
    const had = node.contains(document.activeElement);
    shown = verbs.join();
    node.replaceChildren(...verbs.map((verb) => (made[verb] ??= button(verb, () => node.campaign))));
    if (had) node.querySelector("button")?.focus();
  };
  return node;
};

const button = (verb, campaign) =>
  el(
    "button",
    {
      type: "button",
      class: VERBS[verb].grave ? "small grave" : "small",
      "data-verb": verb,
      "aria-label": `${VERBS[verb].does} campaign ${campaign().campaign_id}`,
      onclick: () => sure(verb, campaign()),
    },
    VERBS[verb].does,
  );

export const sure = (verb, campaign) => {
  const dialog = byId("sure");
  const yes = byId("sure-yes");
  const waiting = campaign.counts.ready || 0;
  text(byId("sure-h"), `${VERBS[verb].does} campaign ${short(campaign.campaign_id)}?`);
  text(byId("sure-words"), `${VERBS[verb].words} ${count(waiting)} of its ${count(campaign.accepted)} messages wait.`);
  text(byId("sure-error"), "");
  byId("sure-codes").hidden = verb !== "retry";
  byId("codes").value = "";
  text(yes, VERBS[verb].does);
  yes.className = VERBS[verb].grave ? "main grave" : "main";
  yes.disabled = false;
  dialog.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    act(verb, campaign.campaign_id, dialog, yes);
  };
  byId("sure-no").onclick = () => dialog.close();
  dialog.showModal();
  byId("sure-no").focus();
};

const wanted = () => {
  const errors = byId("codes").value.split(/[\s,]+/).filter(Boolean);
  return { body: JSON.stringify(errors.length ? { errors } : {}) };
};

const act = async (verb, id, dialog, yes) => {
  yes.disabled = true;
  try {
    const done = await ask(`/v1/campaigns/${encodeURIComponent(id)}:${verb}`, { method: "POST", ...(verb === "retry" ? wanted() : {}) });
    dialog.close();
    const flying = done.in_flight ? `; ${count(done.in_flight)} are still in flight` : "";
    say(done.state ? `Campaign ${short(id)} is ${done.state}${flying}.` : `${count(done.messages)} messages of campaign ${short(id)} go once more.`);
    document.dispatchEvent(new CustomEvent("acted", { detail: id }));
  } catch (error) {
    text(byId("sure-error"), error.message);
    yes.disabled = false;
  }
};

let hush;
const say = (words) => {
  text(byId("said"), words);
  clearTimeout(hush);
  hush = setTimeout(() => text(byId("said"), ""), 6000);
};
