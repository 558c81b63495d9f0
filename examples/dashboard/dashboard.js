/* dashboard.js - the page: the login, what is shown, and the keys of the keyboard. Messages only change the
 * Fleet; the page is drawn at most once for each picture of the screen, however many there were. */
"use strict";

const $ = (id) => document.getElementById(id);
const fleet = new Fleet();
let link = null;

/* The browser lets no text become code here. MQTT.js makes one worker, from a blob of its own. */
globalThis.trustedTypes?.createPolicy("default", {
  createScriptURL: (url) => (url.startsWith(`blob:${location.origin}/`) ? url : null),
});

/* ---- what is drawn, and when */

const list = new VirtualList($("list"), $("rows"), { changed: redraw, open: (device) => show(device.id) });
const map = { canvas: document.querySelector("#map canvas"), drawn: -1, width: 0, cell: 1, columns: 0 };
const feeds = new Feeds($("feeds"), command);
const drawn = { selected: "", activity: undefined, history: null, device: null, at: 0, later: 0 };
let picture = 0, selected = [], opened = "";

function redraw() {
  picture ||= requestAnimationFrame(draw);
}

function draw() {
  picture = 0;
  const now = Date.now();
  drawNumbers();
  const filter = document.querySelector("[name=filter]:checked").value, text = $("search").value;
  const wanted = [fleet.version, filter, text].join("\n");
  if (wanted !== drawn.selected) {
    drawn.selected = wanted;
    selected = fleet.select(filter, text);
    list.devices = selected;
    $("nothing").hidden = selected.length > 0;
    $("nothing").textContent = fleet.counts.all === 0 ? "No device has been here yet." : "No device is so.";
  }
  list.opened = opened;
  list.draw(now);
  if (opened) drawDevice(now);
  else drawOverview(now);
}

function put(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

function drawNumbers() {
  const { counts, summary } = fleet;
  const total = summary?.total ?? counts.all, online = summary?.online ?? counts.online;
  const never = summary?.never_seen ?? 0, offline = summary?.offline ?? counts.all - counts.online;
  const number = (n) => n.toLocaleString("en").replaceAll(",", "\u2009");
  put($("n-online"), number(online));
  put($("n-offline"), number(offline));
  put($("n-never"), number(never));
  put($("n-total"), number(total));
  const parts = { online, offline, never };
  for (const [name, part] of Object.entries(parts)) {
    document.querySelector(`#share .${name}`).style.flexGrow = part;
  }
  for (const radio of document.querySelectorAll("[name=filter]")) {
    put(radio.parentElement.querySelector("b"), number(counts[radio.value]));
  }
}

/* In a storm of messages not in every picture: these are thousands of squares, and nobody reads that fast. */
function drawOverview(now) {
  const width = $("map").clientWidth; // none on a phone, where something else is looked at
  const mapped = map.drawn === fleet.version && map.width === width;
  const told = drawn.activity === fleet.activity.at(-1);
  if (width === 0 || (mapped && told)) return;
  const wait = drawn.at + 200 - now;
  if (wait > 0 && wait <= 200) {
    drawn.later ||= setTimeout(() => {
      drawn.later = 0;
      redraw();
    }, wait);
    return;
  }
  drawn.at = now;
  if (!mapped) drawMap();
  if (told) return;
  drawn.activity = fleet.activity.at(-1);
  drawHistory($("activity"), fleet.activity.slice(-60), true);
  $("quiet").hidden = true;
}

/* A square for each device, as large as there is room for. One colour is one path: ten thousand squares are
 * three strokes of the brush. */
function drawMap() {
  const devices = fleet.sorted, { canvas } = map, ratio = devicePixelRatio;
  map.width = $("map").clientWidth;
  map.cell = [18, 14, 11, 9, 8, 7, 6, 5, 4, 3].find((cell) =>
    Math.ceil(devices.length / Math.floor(map.width / cell)) * cell <= 300) ?? 3;
  map.columns = Math.max(1, Math.floor(map.width / map.cell));
  const width = map.columns * map.cell, height = Math.max(1, Math.ceil(devices.length / map.columns)) * map.cell;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const size = map.cell - (map.cell > 6 ? 2 : 1);
  const paths = { offline: new Path2D(), online: new Path2D(), cut: new Path2D() };
  for (let index = 0; index < devices.length; index++) {
    const device = devices[index];
    paths[device.cut ? "cut" : device.state].rect(
      (index % map.columns) * map.cell, Math.floor(index / map.columns) * map.cell, size, size);
  }
  for (const [look, path] of Object.entries(paths)) {
    context.fillStyle = style.getPropertyValue(`--${look}`);
    context.fill(path);
  }
  const { all, online, cut } = fleet.counts;
  canvas.setAttribute("aria-label", `${all} devices: ${online} online, ${cut} cut off`);
  map.drawn = fleet.version;
}

function underPointer(event) {
  const x = Math.floor(event.offsetX / map.cell), y = Math.floor(event.offsetY / map.cell);
  return x < map.columns ? fleet.sorted[y * map.columns + x] : undefined;
}

function drawHistory(box, entries, named) {
  box.replaceChildren(...entries.reverse().map(({ id, at, tone, text }) => {
    const item = make("li", tone);
    const time = make("time", "", item, clock(at));
    time.dateTime = new Date(at).toISOString();
    if (named) make("a", "", item, id).href = `#device/${encodeURIComponent(id)}`;
    make("span", "", item, text);
    return item;
  }));
}

function drawDevice(now) {
  const device = fleet.devices.get(opened);
  $("device").className = device ? (device.cut ? "cut" : device.state) : "gone";
  put($("device-name"), opened);
  put($("device-state"), device ? device.cut || device.state : "not here");
  if (!device) {
    put($("device-since"), "The broker tells nothing of such a device: it never connected, or it was removed.");
    for (const id of ["feeds", "facts", "history"]) $(id).replaceChildren();
    drawn.history = drawn.device = null;
    return;
  }
  const how = device.state === "online" ? "online" : "offline";
  put($("device-since"), `${how} since ${clock(device.since)}, ${ago(device.since, now)}` +
    (how === "offline" ? `: ${Fleet.reason(device.reason)}` : ""));
  $("no-feeds").hidden = device.feeds.size > 0;
  feeds.draw(device, now);
  const facts = {
    "address": device.address, "client id": device.client,
    "protocol": { 3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5" }[device.protocol],
    "keepalive": device.keepalive ? `${device.keepalive} s` : "off", "session": device.session,
    "connections so far": device.conn,
    "last connected": how === "offline" && device.connectedAt ? clock(device.connectedAt) : "",
  };
  const shown = JSON.stringify([device.id, facts]);
  if (drawn.device !== shown) {
    drawn.device = shown;
    $("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value).map(([name, value]) => {
      const pair = make("div");
      make("dt", "", pair, name);
      make("dd", "", pair, String(value));
      return pair;
    }));
  }
  const latest = device.history.at(-1) ?? device;
  if (drawn.history !== latest) {
    drawn.history = latest;
    drawHistory($("history"), device.history.slice(), false);
    if (device.history.length === 0) make("li", "plain", $("history"), "Nothing so far.");
  }
}

/* ---- one device is opened: its feeds are asked for, and no others */

function show(id) {
  location.hash = id ? `#device/${encodeURIComponent(id)}` : "";
}

function route() {
  const [view, name = ""] = location.hash.slice(1).split("/");
  let id = "";
  try {
    id = view === "device" ? decodeURIComponent(name) : "";
  } catch { /* not ours */ }
  if (!/^[^+#/]*$/.test(id)) id = "";
  if (id !== opened) {
    if (opened) link?.unfollow(topicOf(opened));
    if (id) link?.follow(topicOf(id));
    note("");
  }
  opened = id;
  document.body.dataset.view = id ? "device" : view === "overview" ? "overview" : "list";
  $("device").hidden = id === "";
  $("overview").hidden = id !== "";
  document.title = id ? `${id} – Fleet` : "Fleet";
  drawn.history = null;
  draw();
  if (id) $("device-name").focus({ preventScroll: true });
}

const topicOf = (id) => `devices/${id}/+`;

/* A command is published where the device listens, and not retained: one that is not here is not told later. */
async function command(device, feed, word) {
  note("");
  try {
    await link.publish(`devices/${device.id}/cmd/${feed.name}`, word);
  } catch (error) {
    note(`${feed.name} was not switched: ${error.message}.`);
    throw error;
  } finally {
    redraw();
  }
}

function note(text) {
  $("device-note").hidden = text === "";
  $("device-note").textContent = text;
}

/* ---- the login */

function login(user, key, remember) {
  link?.end();
  const broker = brokerUrl();
  link = new PatientClient({
    url: broker, user, key,
    /* The summary last: its retained message says that all presence has been told. With QoS 0 nobody waits
     * for ten thousand acknowledgements. */
    topics: ["devreg/event/#", "devreg/presence/#", "devreg/summary"], qos: 0,
    onMessage(topic, payload, retained) {
      fleet.message(topic, payload, retained);
      redraw();
    },
    onDenied(topic) {
      state("denied", `No rule lets ${user} subscribe to ${topic}.`);
    },
    onState(what, text) {
      if (what === "online") {
        fleet.connected();
        if (remember) Remembered.set(user, key);
        if ($("app").hidden) begin();
      }
      state(what, text);
    },
  });
}

function brokerUrl() {
  const set = document.querySelector("meta[name=devreg-broker]").content;
  return set || `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/mqtt`;
}

function state(what, text) {
  const again = what === "away" || what === "refused" ? " Trying again, with growing pauses." : "";
  document.body.dataset.state = what;
  $("login-state").textContent = what === "refused" ? `${text} Correct it, or wait: this page tries again.` : text + again;
  $("state").textContent = text + again;
}

function begin() {
  $("login").hidden = true;
  $("key").value = "";
  $("app").hidden = false;
  route();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  login($("user").value, $("key").value.trim(), $("remember").checked);
});
$("logout").addEventListener("click", () => {
  Remembered.forget();
  link.end();
  location.replace(location.pathname); // nothing is left of it in this page
});

/* ---- the keyboard, the pointer, the clock */

addEventListener("hashchange", () => $("app").hidden || route());
$("search").addEventListener("input", redraw);
$("filter").addEventListener("change", redraw);
addEventListener("keydown", (event) => {
  if ($("app").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === $("search");
  if (event.key === "/" && !typing) {
    if (document.body.dataset.view !== "list" && !$("devices").checkVisibility()) show("");
    setTimeout(() => $("search").focus());
  } else if (event.key === "ArrowDown" && typing) {
    list.enter();
    redraw();
  } else if (event.key === "Escape" && typing && $("search").value) {
    $("search").value = "";
    redraw();
  } else if (event.key === "Escape" && (opened || typing)) {
    show("");
    setTimeout(() => list.enter());
  } else {
    return;
  }
  event.preventDefault();
});
map.canvas.addEventListener("pointermove", (event) => {
  const device = underPointer(event);
  if (device) $("under-pointer").textContent = `${device.id}: ${device.cut || device.state}`;
});
map.canvas.addEventListener("click", (event) => {
  const device = underPointer(event);
  if (device) show(device.id);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  map.drawn = -1;
  redraw();
});
addEventListener("resize", redraw);
let missed = 0; // for how many seconds the broker has counted more devices than it told us of
setInterval(() => {
  const missing = (fleet.summary?.online ?? 0) + (fleet.summary?.offline ?? 0) - fleet.counts.all;
  missed = missing > 0 ? missed + 1 : 0;
  $("missing").hidden = missed < 10;
  put($("missing"), `The broker left out ${missing} devices: its max_queued_messages has to be more than there are.`);
  if (!document.hidden && !$("app").hidden) redraw(); // "3 s", "4 s" ...
}, 1000);

const remembered = Remembered.get();
$("broker").textContent = brokerUrl();
$("login").hidden = false;
if (remembered) login(remembered.user, remembered.key, true);
else $("user").focus();
