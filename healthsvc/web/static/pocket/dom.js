// Small helpers: elements, words, times in the site's zone.

let words = {};
let zone = "Asia/Shanghai";
let offset = 0;

export function speak(table) { words = table; }
export function setZone(name) { zone = name; }
export function setOffset(seconds) { offset = seconds; }

export function say(text, values) {
  let told = words[text] || text;
  Object.keys(values || {}).forEach(function (name) { told = told.replaceAll("{" + name + "}", values[name]); });
  return told;
}

// h("p", { class: "x", onclick: f }, "text", child, ...)
export function h(tag, attributes) {
  const made = document.createElement(tag);
  Object.entries(attributes || {}).forEach(function (one) {
    const name = one[0], value = one[1];
    if (value === undefined || value === null || value === false) return;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  });
  Array.prototype.slice.call(arguments, 2).flat(3).forEach(function (child) {
    if (child === null || child === undefined || child === false) return;
    made.append(child instanceof Node ? child : String(child));
  });
  return made;
}

export function icon(name) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("class", "icon");
  drawn.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "/static/icons.svg#" + name);
  drawn.append(use);
  return drawn;
}

export function chip(tone, text) { return h("span", { class: "chip " + tone }, text); }

export function told(tone, children) {
  return h("div", { class: "told " + tone, role: tone === "red" ? "alert" : "status" }, icon("warn"), h("div", {}, children));
}

export function sheet(title, children, more) {
  return h("section", { class: "sheet" }, h("header", {}, h("h2", {}, title), more), children);
}

// Now, as the server would say it: the phone's clock set right by the last contact.
export function now() { return new Date(Date.now() + offset * 1000); }
export function offsetNow() { return offset; }

function parts(at) {
  const found = {};
  const how = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  new Intl.DateTimeFormat("en-GB", how).formatToParts(at).forEach(function (one) { found[one.type] = one.value; });
  return found;
}

export function clock(at) { const p = parts(new Date(at)); return p.hour + ":" + p.minute; }
export function day(at) { const p = parts(new Date(at)); return p.year + "-" + p.month + "-" + p.day; }

export function dayName(iso) {
  const at = new Date(iso + "T12:00:00Z");
  const language = document.documentElement.lang === "en" ? "en-GB" : "zh-CN";
  return new Intl.DateTimeFormat(language, { timeZone: "UTC", month: "long", day: "numeric", weekday: "short" }).format(at);
}
