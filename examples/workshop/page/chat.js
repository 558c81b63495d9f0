/* chat.js - the chat room: each person talks on workshop/chat/<name>, and the broker lets nobody use another's. What
 * others wrote becomes text and never markup.
 */
"use strict";

const ROOM = "workshop/chat/";
const BELL = "workshop/bell";
const LINES = 200; // that are kept on the page
const byId = (id) => document.getElementById(id);

let link = null;
let name = "";

function heard(topic, payload) {
  const line = document.createElement("li"), who = document.createElement("b");
  who.textContent = topic.slice(ROOM.length);
  line.append(who, new TextDecoder().decode(payload));
  byId("said").append(line);
  while (byId("said").childElementCount > LINES) byId("said").firstElementChild.remove();
  line.scrollIntoView({ block: "nearest" });
}

function tell(text) {
  byId("state").textContent = text;
}

async function publish(topic, text, options) {
  try {
    await link.publish(topic, text, options);
    return true;
  } catch (error) {
    tell(`Not sent: ${error.message}.`);
    return false;
  }
}

byId("broker").value =
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.hostname || "localhost"}:9001/mqtt`;

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  name = byId("user").value.trim();
  byId("login").hidden = true;
  byId("room").hidden = false;
  link = new PatientClient({
    url: byId("broker").value,
    user: name,
    key: byId("key").value.trim(),
    topics: [`${ROOM}+`],
    onMessage: heard,
    onDenied: (topic) => tell(`No rule lets ${name} subscribe to ${topic}.`),
    onState: (state, text) => tell(state === "refused" || state === "away" ? `${text} Trying again.` : text),
  });
  byId("key").value = "";
});

byId("talk").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text && await publish(ROOM + name, text)) byId("text").value = "";
});

byId("bell").addEventListener("click", () => publish(BELL, "", { qos: 0 })); // one that rings late is worse than none

byId("leave").addEventListener("click", () => {
  link.end();
  link = null;
  byId("said").replaceChildren();
  byId("room").hidden = true;
  byId("login").hidden = false;
  tell("");
});
