/* feeds.js - what a device publishes, as cards: a number on a gauge with its last hundred values below,
 * on and off as a switch, anything else as text. A switch shows what the device says; what it was told is
 * pending until then. */
"use strict";

class Feeds {
  #box;
  #send;
  #cards = new Map();
  #device = null;

  /** `send(device, feed, word)` returns a promise: the broker has taken the command. */
  constructor(box, send) {
    this.#box = box;
    this.#send = send;
  }

  draw(device, now) {
    if (device !== this.#device) {
      this.#box.replaceChildren();
      this.#cards.clear();
      this.#device = device;
    }
    for (const [name, card] of this.#cards) {
      if (device.feeds.get(name)?.kind === card.kind) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const feed of device.feeds.values()) {
      if (!this.#cards.has(feed.name)) this.#add(device, feed);
      this.#cards.get(feed.name).draw(feed, device, now);
    }
  }

  #add(device, feed) {
    const kinds = { number: Gauge, toggle: Toggle, text: Plain };
    const card = new kinds[feed.kind](feed, (word) => this.#send(device, feed, word));
    /* By kind, then by name: gauges first. */
    const order = `${Object.keys(kinds).indexOf(feed.kind)} ${feed.name}`;
    card.element.dataset.order = order;
    const after = [...this.#box.children].find((other) => other.dataset.order > order);
    this.#box.insertBefore(card.element, after ?? null);
    this.#cards.set(feed.name, card);
  }
}

class Card {
  #shown = "";

  constructor(feed, kind) {
    this.kind = kind;
    this.element = make("div", `card ${kind}`);
    this.element.dataset.feed = feed.name;
    this.title = make("h4", "", this.element, feed.name);
  }

  /* Is this not what was drawn last? */
  differs(...parts) {
    const now = parts.join("\n");
    const differs = now !== this.#shown;
    this.#shown = now;
    return differs;
  }
}

class Gauge extends Card {
  static #arc = "M 10 62 A 50 50 0 0 1 110 62";

  constructor(feed) {
    super(feed, "number");
    this.dial = svg("svg", { viewBox: "0 0 120 74", role: "img" }, this.element);
    svg("path", { class: "track", d: Gauge.#arc }, this.dial);
    this.arc = svg("path", { class: "value", d: Gauge.#arc, pathLength: 100 }, this.dial);
    this.number = svg("text", { class: "number", x: 60, y: 57 }, this.dial);
    this.low = svg("text", { class: "end", x: 10, y: 73 }, this.dial);
    this.high = svg("text", { class: "end", x: 110, y: 73 }, this.dial);
    const line = svg("svg", { class: "line", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": true }, this.element);
    this.line = svg("polyline", {}, line);
  }

  draw(feed) {
    const { values } = feed, value = values.at(-1);
    if (!this.differs(feed.at, values.length, value)) return;
    const low = Math.min(0, -Gauge.#round(-Math.min(...values))), high = Gauge.#round(Math.max(...values));
    const share = (v) => high > low ? (v - low) / (high - low) : 0;
    this.arc.setAttribute("stroke-dasharray", `${(100 * share(value)).toFixed(2)} 200`);
    this.number.textContent = Gauge.#text(value);
    this.low.textContent = Gauge.#text(low);
    this.high.textContent = Gauge.#text(high);
    this.dial.setAttribute("aria-label", `${feed.name}: ${Gauge.#text(value)}, from ${Gauge.#text(low)} to ${Gauge.#text(high)}`);
    /* The line has a scale of its own: there the ups and downs count. */
    const bottom = Math.min(...values), span = Math.max(...values) - bottom || 1;
    const step = 100 / (Fleet.HISTORY - 1), start = 100 - step * (values.length - 1);
    this.line.setAttribute("points", values.map((v, i) =>
      `${(start + i * step).toFixed(1)},${(22 - 20 * (v - bottom) / span).toFixed(1)}`).join(" "));
  }

  /* The next round number above: the end of a scale. */
  static #round(value) {
    if (value <= 0) return 0;
    const ten = 10 ** Math.floor(Math.log10(value));
    return ten * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * ten >= value * 0.9999);
  }

  static #text(value) {
    return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3)
      ? value.toExponential(1) : String(Number(value.toPrecision(4)));
  }
}

class Toggle extends Card {
  #pending = "";

  constructor(feed, send) {
    super(feed, "toggle");
    this.button = make("button", "switch", this.element);
    this.button.type = "button";
    this.button.setAttribute("role", "switch");
    this.button.setAttribute("aria-label", feed.name);
    make("i", "", this.button);
    this.word = make("p", "word", this.element);
    this.button.addEventListener("click", async () => {
      this.#pending = this.is === "on" ? "off" : "on";
      this.button.setAttribute("aria-busy", true);
      try {
        await send(this.#pending);
      } catch { // said elsewhere
        this.#settle();
      }
    });
  }

  #settle() {
    this.#pending = "";
    this.button.removeAttribute("aria-busy");
  }

  draw(feed, device) {
    this.is = feed.text.toLowerCase();
    if (this.is === this.#pending || device.state !== "online") this.#settle();
    if (!this.differs(this.is, this.#pending, device.state)) return;
    this.button.setAttribute("aria-checked", this.is === "on");
    this.button.disabled = device.state !== "online"; // nobody would hear it
    this.word.textContent = this.#pending ? `${this.is}, told: ${this.#pending}` : this.is;
  }
}

class Plain extends Card {
  constructor(feed) {
    super(feed, "text");
    this.text = make("p", "words", this.element);
  }

  draw(feed) {
    if (this.differs(feed.text)) this.text.textContent = feed.text;
  }
}

function svg(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}
