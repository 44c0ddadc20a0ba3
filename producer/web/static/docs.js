// Draws /v1/openapi.json. Everything is put in as text, never as markup.
"use strict";

const make = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const put = (parent, ...children) => {
  parent.append(...children);
  return parent;
};

const resolved = (doc, schema) =>
  schema && schema.$ref ? doc.components.schemas[schema.$ref.split("/").pop()] : schema || {};

const kindOf = (schema) => {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.type === "array") return `list of ${kindOf(schema.items || {})}`;
  if (schema.type === "object" && schema.additionalProperties) return "object";
  return [schema.type, schema.format].filter(Boolean).join(" ") || "any";
};

const table = (heads, rows) => {
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    for (const cell of row) put(line, put(make("td"), cell));
    put(body, line);
  }
  const head = make("tr");
  for (const title of heads) put(head, make("th", title));
  return put(make("table"), put(make("thead"), head), body);
};

const fields = (doc, schema, seen = []) => {
  const shape = resolved(doc, schema);
  const rows = Object.entries(shape.properties || {}).map(([name, field]) => {
    const required = (shape.required || []).includes(name) ? "required" : "";
    return [make("code", name), kindOf(field), [required, field.description].filter(Boolean).join(": ")];
  });
  const found = make("div");
  if (shape.description) put(found, make("p", shape.description));
  if (rows.length) put(found, table(["field", "type", ""], rows));
  for (const field of Object.values(shape.properties || {})) {
    for (const each of [field, field.items || {}, ...(field.anyOf || [])]) {
      const name = each.$ref || (each.items && each.items.$ref);
      if (!name || seen.includes(name)) continue;
      seen.push(name);
      put(found, make("h4", name.split("/").pop()), fields(doc, { $ref: name }, seen));
    }
  }
  return found;
};

const content = (doc, holder, parts) => {
  for (const [media, { schema }] of Object.entries(parts || {})) {
    const fold = put(make("details"), put(make("summary"), make("code", media)));
    put(holder, schema ? put(fold, fields(doc, schema)) : make("p", media));
  }
};

const operation = (doc, method, path, found) => {
  const article = make("article", undefined, { id: found.operationId });
  put(article, make("h3", found.summary), make("pre", `${method.toUpperCase()} ${path}`));
  for (const text of (found.description || "").split("\n\n")) put(article, make("p", text));
  const rows = (found.parameters || []).map((each) => [
    make("code", each.name),
    `${each.in}, ${kindOf(each.schema || {})}`,
    [each.required ? "required" : "", each.description].filter(Boolean).join(": "),
  ]);
  if (rows.length) put(article, table(["parameter", "", ""], rows));
  if (found.requestBody) {
    put(article, make("h4", "Body"));
    content(doc, article, found.requestBody.content);
  }
  put(article, make("h4", "Answers"));
  for (const [status, answer] of Object.entries(found.responses)) {
    put(article, put(make("p"), make("code", status), ` ${answer.description}`));
    if (status < "300") content(doc, article, answer.content);
  }
  return article;
};

const kinds = (doc) => {
  const found = new Map();
  for (const item of Object.values(doc.paths)) {
    for (const each of Object.values(item)) {
      for (const [status, answer] of Object.entries(each.responses || {})) {
        if (status < "400") continue;
        for (const told of answer.description.split(" · ")) {
          const [, title, slug] = told.match(/^(.*) \((.*)\)$/);
          found.set(slug, `${status}: ${title}`);
        }
      }
    }
  }
  return found;
};

const draw = (doc) => {
  document.getElementById("about").textContent = doc.info.description;
  const list = make("ul");
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const [method, found] of Object.entries(item)) {
      put(document.getElementById("operations"), operation(doc, method, path, found));
      put(list, put(make("li"), make("a", found.summary, { href: `#${found.operationId}` })));
    }
  }
  put(document.getElementById("contents"), list);
  for (const [slug, title] of kinds(doc)) {
    put(document.getElementById("kinds"), make("dt", slug, { id: slug }), make("dd", title));
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
};

fetch("/v1/openapi.json")
  .then((answer) => answer.json())
  .then(draw)
  .catch((error) => {
    document.getElementById("about").textContent = `The description could not be read: ${error.message}`;
  });
