// Small charts of our own: an area or a line over time, its scale, and what it says in words.
import { attribute, el, svg, text } from "/page/dom.js";
import { span } from "/page/format.js";

const WIDTH = 300;
const HEIGHT = 72;

const nice = (most) => {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= most);
};

const path = (points, from, to, most) =>
  points
    .map(([at, value], n) => {
      const x = ((at - from) / Math.max(to - from, 1)) * WIDTH;
      const y = HEIGHT - (value / most) * (HEIGHT - 4);
      return `${n ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");

// `draw(points, now)`: points [[seconds, value], …] in order; `now` what it is just now, where the last point is older; `say` turns a
// value into words.
export const chart = (title, kind, say) => {
  const id = `chart-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  const value = el("span", { class: "value" });
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const grid = [0.5, 1].map((share) => {
    const y = HEIGHT - share * (HEIGHT - 4);
    return svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y });
  });
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-labelledby": id },
    grid, area, line,
  );
  const top = el("span", { class: "scale" });
  const first = el("span");
  const last = el("span");
  const words = el("figcaption", { id }, el("span", {}, title), value);
  const node = el("figure", { class: `chart ${kind}` }, words, el("div", { class: "plot" }, drawing, top),
    el("div", { class: "ends" }, first, last));
  node.draw = (points, now = points.length ? points[points.length - 1][1] : null) => {
    const from = points.length ? points[0][0] : 0;
    const to = points.length ? points[points.length - 1][0] : 1;
    const most = nice(Math.max(0, ...points.map((each) => each[1])));
    const drawn = path(points, from, to, most);
    attribute(line, "d", drawn || "M0 0");
    attribute(area, "d", drawn ? `${drawn}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` : "M0 0");
    text(value, now === null ? "–" : say(now));
    text(top, points.length > 1 ? say(most) : "");
    text(first, points.length > 1 ? `${span(Date.now() / 1000 - from)} ago` : "");
    text(last, points.length > 1 ? "now" : "from now on");
  };
  return node;
};

// A line without scale, the size of a word.
export const spark = () => {
  const line = svg("path", { class: "line" });
  const node = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, line);
  node.draw = (points) => {
    const most = Math.max(0.001, ...points.map((each) => each[1]));
    const ends = points.length > 1 ? [points[0][0], points[points.length - 1][0]] : [0, 1];
    attribute(line, "d", points.length > 1 ? path(points, ...ends, most) : `M0 ${HEIGHT}L${WIDTH} ${HEIGHT}`);
  };
  return node;
};

// Keeps the points of the last while, one a moment.
export class Ring {
  constructor(most) {
    this.most = most;
    this.points = [];
  }

  add(at, value) {
    const last = this.points[this.points.length - 1];
    if (last && last[0] >= at) return;
    this.points.push([at, value]);
    if (this.points.length > this.most) this.points.shift();
  }
}
