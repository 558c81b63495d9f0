/* list.js - a list of any length: only the rows that can be seen exist, and scrolling moves them.
 * One of the devices is active: arrows move there, Enter opens it. The focus stays on the list itself
 * (aria-activedescendant), so that a row may vanish without taking the focus along. */
"use strict";

class VirtualList {
  #box;
  #rows;
  #height; // of a row, from the style sheet
  #pool = [];
  #devices = [];
  #active = null;
  #opened = "";
  #open;

  /** `changed()` is called when it wants to be drawn; `open(device)` when one is chosen. */
  constructor(box, rows, { changed, open }) {
    this.#box = box;
    this.#rows = rows;
    this.#open = open;
    this.#height = parseInt(getComputedStyle(box).getPropertyValue("--row"), 10);
    box.addEventListener("scroll", changed, { passive: true });
    new ResizeObserver(changed).observe(box);
    box.addEventListener("keydown", (event) => this.#key(event) && (event.preventDefault(), changed()));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      const device = row && this.#devices[row.dataset.index];
      if (!device) return;
      this.#active = device;
      open(device);
      changed();
    });
  }

  set devices(devices) {
    this.#devices = devices;
  }

  set opened(id) {
    this.#opened = id;
  }

  /** Arrow down in the search field leads here. */
  enter() {
    if (!this.#devices.includes(this.#active)) this.#active = this.#devices[0] ?? null;
    this.#box.focus();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const page = Math.max(1, Math.floor(this.#box.clientHeight / this.#height) - 1);
    const at = this.#devices.indexOf(this.#active);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity }[event.key];
    if (to !== undefined && this.#devices.length > 0) {
      const index = Math.min(Math.max(to, 0), this.#devices.length - 1);
      this.#active = this.#devices[index];
      this.#show(index);
      return true;
    }
    if (!["Enter", " "].includes(event.key) || at < 0) return false;
    this.#open(this.#active);
    return true;
  }

  #show(index) {
    const top = index * this.#height, bottom = top + this.#height - this.#box.clientHeight;
    if (this.#box.scrollTop > top) this.#box.scrollTop = top;
    else if (this.#box.scrollTop < bottom) this.#box.scrollTop = bottom;
  }

  draw(now) {
    const height = this.#devices.length * this.#height;
    if (this.#rows.clientHeight !== height) this.#rows.style.height = `${height}px`;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / this.#height) - 4);
    const last = Math.min(this.#devices.length, first + Math.ceil(this.#box.clientHeight / this.#height) + 8);
    while (this.#pool.length < last - first) this.#pool.push(new Row(this.#rows, this.#pool.length));
    const size = this.#pool.length;
    let active = "";
    for (const [place, row] of this.#pool.entries()) {
      const index = first + (((place - first) % size) + size) % size; // a row keeps its device while scrolling
      if (index >= last) {
        row.hide();
        continue;
      }
      const device = this.#devices[index];
      if (device === this.#active) active = row.id;
      row.draw(device, index, this.#devices.length, index * this.#height, now, device === this.#active, device.id === this.#opened);
    }
    if (active) this.#box.setAttribute("aria-activedescendant", active);
    else this.#box.removeAttribute("aria-activedescendant");
  }
}

/* Writes to the page only what differs from what stands there. */
class Row {
  #shown = new Map();

  constructor(rows, number) {
    this.id = `row-${number}`;
    this.row = make("div", "row", rows);
    this.row.id = this.id;
    this.row.setAttribute("role", "option");
    this.dot = make("span", "dot", this.row);
    this.name = make("span", "name", this.row);
    this.detail = make("span", "detail", this.row);
    this.since = make("span", "since", this.row);
  }

  #set(what, value, write) {
    if (this.#shown.get(what) === value) return;
    this.#shown.set(what, value);
    write(value);
  }

  hide() {
    this.#set("hidden", true, (value) => { this.row.hidden = value; });
  }

  draw(device, index, length, top, now, active, opened) {
    const look = device.cut ? "cut" : device.state;
    const detail = device.cut || (device.state === "online" ? device.address : Fleet.reason(device.reason));
    this.#set("hidden", false, (value) => { this.row.hidden = value; });
    this.#set("top", top, (value) => { this.row.style.transform = `translateY(${value}px)`; });
    this.#set("index", index, (value) => {
      this.row.dataset.index = value;
      this.row.setAttribute("aria-posinset", value + 1);
    });
    this.#set("length", length, (value) => this.row.setAttribute("aria-setsize", value));
    this.#set("id", device.id, (value) => {
      this.row.dataset.device = value;
      this.name.textContent = value;
    });
    this.#set("class", `row ${look}${active ? " active" : ""}`, (value) => { this.row.className = value; });
    this.#set("opened", opened, (value) => this.row.setAttribute("aria-selected", value));
    this.#set("dot", look, (value) => {
      this.dot.className = `dot ${value}`;
      this.dot.setAttribute("role", "img");
      this.dot.setAttribute("aria-label", value === "cut" ? "cut off" : value);
    });
    this.#set("detail", detail, (value) => { this.detail.textContent = value; });
    this.#set("since", ago(device.since, now), (value) => { this.since.textContent = value; });
  }
}

/* An element with a class, in its parent. Text from outside goes into textContent, and nowhere else. */
function make(tag, name, parent, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  parent?.append(element);
  return element;
}

/* "12 s", "3 min", "5 h", "2 d": how long ago, in the largest unit that fits. */
function ago(at, now) {
  if (!at) return "";
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/* A time of today, or a day and a time. One formatter for all: to make one is slow. */
const clock = (() => {
  const time = new Intl.DateTimeFormat([], { timeStyle: "medium" });
  const day = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
  return (at) => {
    const midnight = new Date().setHours(0, 0, 0, 0);
    return (at >= midnight && at < midnight + 86400000 ? time : day).format(at);
  };
})();
