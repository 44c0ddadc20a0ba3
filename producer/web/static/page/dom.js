// Nodes. Whatever comes from outside becomes text, never markup.
const SVG = "http://www.w3.org/2000/svg";

const fill = (node, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.setAttribute("class", value);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};

export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const byId = (id) => document.getElementById(id);

export const text = (node, words) => {
  if (node.textContent !== words) node.textContent = words;
};

export const attribute = (node, name, value) => {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
};

// Brings the children of a list in line with items: a node stays the same node for as long as its key is there, and so keeps its
// focus. `make(item)` answers a node with an `update(item)` of its own.
export const keep = (parent, items, keyOf, make) => {
  const held = parent.held || (parent.held = new Map());
  const keys = new Set(items.map(keyOf));
  for (const [key, node] of held) {
    if (!keys.has(key)) {
      node.remove();
      held.delete(key);
    }
  }
  let at = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = held.get(key);
    if (!node) {
      node = make(item);
      held.set(key, node);
    }
    node.update(item);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
};

// A table by columns: {head, cell(item) → words or node, kind: "number" | "minor" | ""}.
export const table = (holder, columns, items, keyOf, none) => {
  if (!holder.body) {
    const heads = columns.map((each) => el("th", { scope: "col", class: each.kind || "" }, each.head));
    holder.body = el("tbody");
    holder.none = el("p", { class: "quiet none" }, none);
    holder.whole = el("table", {}, el("thead", {}, el("tr", {}, heads)), holder.body);
    holder.append(holder.whole, holder.none);
  }
  holder.whole.hidden = items.length === 0;
  holder.none.hidden = items.length > 0;
  keep(holder.body, items, keyOf, () => {
    const cells = columns.map((each, n) => el(n ? "td" : "th", { class: each.kind || "", scope: n ? null : "row" }));
    const row = el("tr", {}, cells);
    row.update = (item) =>
      columns.forEach((each, n) => {
        const value = each.cell(item);
        if (value instanceof Node) cells[n].replaceChildren(value);
        else text(cells[n], value);
      });
    return row;
  });
};
