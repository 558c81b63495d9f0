/* phone.js - the phone: one button that says "on" or "off", and shows what was said last, by whomever. It
 * changes when the broker hands the message back, so what it shows is what the light was told.
 */
"use strict";

const TOPIC = "living_room_lights";
const PRESENCE = "devreg/presence/light";
const byId = (id) => document.getElementById(id);
const settings = new URLSearchParams(location.search); // ?pause=100&pauseMax=800, for tests
// It stands in the page and not in its address: a link must not lead a key to another broker.
const url = document.querySelector("meta[name=broker]").content ||
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`;

let link = null;
let last = null; // "on", "off" or, before anybody said it, null
let seq = 0; // of the light's presence: only newer ones count

function show() {
  const toggle = byId("toggle");
  toggle.disabled = !link.online;
  toggle.setAttribute("aria-pressed", String(last === "on"));
  toggle.textContent = last === null ? "nobody has said yet" : `the light is ${last}`;
}

function heard(topic, payload) {
  const text = new TextDecoder().decode(payload);
  if (topic === TOPIC && (text === "on" || text === "off")) {
    last = text;
  } else if (topic === PRESENCE) {
    let presence;
    try {
      presence = JSON.parse(text);
    } catch {
      return;
    }
    if (!(presence?.seq > seq)) return;
    seq = presence.seq;
    byId("light").textContent = presence.state === "online" ? "The light is there." : "The light is not there.";
  }
  show();
}

function enter(user, key) {
  byId("login").hidden = true;
  byId("room").hidden = false;
  link = new PatientClient({
    url, user, key,
    pause: Number(settings.get("pause") ?? 1000), pauseMax: Number(settings.get("pauseMax") ?? 60000),
    topics: [TOPIC, PRESENCE],
    onMessage: heard,
    onDenied: (topic) => { byId("state").textContent = `No rule allows this phone to subscribe ${topic}.`; },
    onState(state, text) {
      byId("state").textContent = state === "online" || state === "connecting" ? text : `${text} Trying again.`;
      if (link) show();
    },
  });
  show();
}

function leave() {
  link.end();
  link = last = null;
  seq = 0;
  Remembered.forget();
  byId("room").hidden = true;
  byId("login").hidden = false;
  byId("light").textContent = "The light has not been seen yet.";
  byId("state").textContent = "";
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = byId("user").value.trim(), key = byId("key").value.trim();
  byId("key").value = "";
  if (byId("remember").checked) Remembered.set(user, key);
  enter(user, key);
});

byId("toggle").addEventListener("click", async () => {
  try {
    await link.publish(TOPIC, last === "on" ? "off" : "on", { retain: true });
  } catch (error) {
    byId("state").textContent = `Not sent: ${error.message}.`;
  }
});

byId("leave").addEventListener("click", leave);

const remembered = Remembered.get();
if (remembered) enter(remembered.user, remembered.key);
