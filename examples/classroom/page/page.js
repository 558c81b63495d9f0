/* page.js - makes tiles of the elements in index.html:
 *
 *   data-display="led_is"                        shows the value of class/<name>/led_is
 *   data-gauge="light" data-min data-max         shows a number as a bar, too
 *   data-switch="led"                            shows and sends true and false
 *   data-text="text"                             sends what is typed
 *
 * A payload is JSON, {"value": 512}. A tile changes when the broker hands the message over, also what this
 * page sent itself: what it shows is what the board was told.
 */
"use strict";

const byId = (id) => document.getElementById(id);
const settings = new URLSearchParams(location.search); // ?pause=100&pauseMax=800, for tests
// It stands in the page and not in its address: a link must not lead a key to another broker.
const url = document.querySelector("meta[name=broker]").content;

let link = null;
let prefix = "";
const tiles = new Map(); // name of the topic: function that shows a value

function say(text) {
  byId("state").textContent = text;
}

async function send(name, value) {
  try {
    await link.publish(prefix + name, JSON.stringify({ value }), { retain: true });
  } catch (error) {
    say(`Not sent: ${error.message}.`);
  }
}

function add(tile, tag, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  tile.append(element);
  return element;
}

const makers = {
  display(tile) {
    const output = add(tile, "b");
    return (value) => { output.textContent = value === undefined ? "–" : String(value); };
  },
  gauge(tile, label) {
    const { min = "0", max = "100" } = tile.dataset;
    const output = add(tile, "b"), meter = add(tile, "meter", { min, max, "aria-label": label });
    return (value) => {
      const known = typeof value === "number";
      output.textContent = known ? String(value) : "–";
      meter.value = known ? value : Number(min);
    };
  },
  switch(tile, label, name) {
    const button = add(tile, "button", { "aria-label": label });
    let on = false;
    button.addEventListener("click", () => send(name, !on));
    return (value) => {
      on = value === true;
      button.setAttribute("aria-pressed", String(on));
      button.textContent = on ? "on" : "off";
    };
  },
  text(tile, label, name) {
    const input = add(tile, "input", { "aria-label": label, maxlength: 80 });
    add(tile, "button").textContent = "Send";
    tile.lastChild.addEventListener("click", () => send(name, input.value));
    return () => {};
  },
};

for (const tile of document.querySelectorAll(".tile")) {
  const [kind, name] = Object.entries(tile.dataset).find(([key]) => key in makers);
  const show = makers[kind](tile, tile.textContent.trim(), name);
  tiles.set(name, show);
  show(undefined);
}

function heard(topic, payload) {
  const show = tiles.get(topic.slice(prefix.length));
  if (!show || !topic.startsWith(prefix)) return;
  try {
    show(JSON.parse(new TextDecoder().decode(payload)).value);
  } catch {
    say(`What came on ${topic} is not of the form {"value": 1}.`);
  }
}

function view(connected) {
  byId("login").hidden = connected;
  byId("board").hidden = byId("leave").hidden = !connected;
}

function enter(user, key) {
  prefix = `class/${user}/`;
  byId("title").textContent = `The board of ${user}`;
  link = new PatientClient({
    url, user, key, topics: [`${prefix}#`],
    pause: Number(settings.get("pause") ?? 1000), pauseMax: Number(settings.get("pauseMax") ?? 60000),
    onMessage: heard,
    onDenied: (topic) => say(`No rule allows this page to subscribe ${topic}.`),
    onState(state, text) {
      say(state === "online" || state === "connecting" ? text : `${text} Trying again.`);
      for (const button of document.querySelectorAll(".tile button")) button.disabled = state !== "online";
    },
  });
  view(true);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = byId("user").value.trim(), key = byId("key").value.trim();
  byId("key").value = "";
  if (byId("remember").checked) Remembered.set(user, key);
  enter(user, key);
});

byId("leave").addEventListener("click", () => {
  link.end();
  link = null;
  Remembered.forget();
  for (const show of tiles.values()) show(undefined);
  byId("title").textContent = "My board";
  say("");
  view(false);
});

const remembered = Remembered.get();
if (remembered) enter(remembered.user, remembered.key);
