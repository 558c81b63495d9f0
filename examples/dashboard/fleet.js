/* fleet.js - what the page knows of the devices: from devreg/presence/#, devreg/summary and devreg/event/#.
 * It draws nothing. Whatever it is given comes from a network and may be anything: what is not as the manual
 * of devreg says is left out, and what is kept has a bound.
 *
 *   devices   Map of id -> device, with `state`, `since`, `cut` (why it is let in no more, or "") ...
 *   sorted    the same, by name; a new device is merged in, so that ten thousand cost no sort each
 *   activity  what happened, newest last
 */
"use strict";

class Fleet {
  static HISTORY = 100; // entries of one device
  static ACTIVITY = 200; // entries of all
  static FEEDS = 60; // of one device

  devices = new Map();
  activity = [];
  summary = null;
  counts = { all: 0, online: 0, offline: 0, cut: 0 };
  version = 0; // rises with each change that the list may show
  #sorted = [];
  #fresh = [];
  #gone = false;
  #told = 0; // the connection in which the broker tells us

  /** All that the broker knows is told again after each connect: what it then leaves out is gone. */
  connected() {
    this.#told++;
  }

  get sorted() {
    if (this.#gone) this.#sorted = this.#sorted.filter((device) => this.devices.get(device.id) === device);
    this.#gone = false;
    if (this.#fresh.length > 0) {
      const fresh = this.#fresh.filter((device) => this.devices.get(device.id) === device).sort(Fleet.#byName);
      this.#sorted = Fleet.#merge(this.#sorted, fresh);
      this.#fresh = [];
    }
    return this.#sorted;
  }

  /** The devices that a filter and a search leave, by name. */
  select(filter, text) {
    const wanted = text.trim().toLowerCase();
    return this.sorted.filter((device) =>
      (filter === "all" || Fleet.#isIn(device, filter)) &&
      (wanted === "" || device.id.toLowerCase().includes(wanted) || device.address.includes(wanted) ||
        device.client.toLowerCase().includes(wanted)));
  }

  /** A message of the broker; `retained` where it is told because we came, not because it happened now. */
  message(topic, payload, retained) {
    const [root, what, id, kind] = topic.split("/");
    if (root === "devices") return this.#feed(what, topic.slice(`devices/${what}/`.length), payload);
    if (root !== "devreg") return undefined;
    if (what === "presence" && payload.length === 0) return this.#forget(id);
    let said;
    try {
      said = JSON.parse(Fleet.#text(payload));
    } catch {
      return undefined;
    }
    if (said === null || typeof said !== "object") return undefined;
    if (what === "presence") return this.#presence(id, said, retained);
    if (what === "summary") return this.#summary(said, retained);
    if (what === "event") return this.#event(id, kind, said);
    return undefined;
  }

  #presence(id, said, retained) {
    if (!["online", "offline"].includes(said.state) || !Number.isFinite(said.seq)) return;
    let device = this.devices.get(id);
    if (device && said.seq < device.seq) return; // the highest has the truth
    const news = !device || said.seq > device.seq;
    if (!device) device = this.#add(id);
    device.told = this.#told;
    if (!news) return;
    this.#count(device, -1);
    const was = device.state;
    device.state = said.state;
    device.seq = said.seq;
    device.since = Fleet.#number(said.since);
    device.connectedAt = Fleet.#number(said.connected_at);
    device.conn = Fleet.#number(said.conn);
    device.keepalive = Fleet.#number(said.keepalive);
    device.protocol = Fleet.#number(said.protocol);
    for (const name of ["client", "address", "session", "reason"]) device[name] = Fleet.#word(said[name]);
    if (device.state === "online") device.cut = "";
    else if (Fleet.CUTS.includes(device.reason)) device.cut = device.reason;
    this.#count(device, 1);
    this.version++;
    if (retained || was === device.state) return;
    if (device.state === "online") this.#note(id, device.since, "online", `came online${Fleet.#from(device)}`);
    else this.#note(id, device.since, device.cut ? "cut" : "offline", `went offline: ${Fleet.reason(device.reason)}`);
  }

  #summary(said, retained) {
    const names = ["online", "offline", "never_seen", "total"];
    if (names.every((name) => Number.isFinite(said[name]))) this.summary = said;
    /* It was subscribed to last: so every presence of this connection has been told before it. */
    if (retained) for (const [id, device] of this.devices) if (device.told !== this.#told) this.#forget(id);
  }

  #event(id, kind, said) {
    const at = Fleet.#number(said.ts), word = (name) => Fleet.#word(said[name]);
    const says = {
      auth_failed: () => ["warning", `login failed: ${Fleet.reason(word("reason"))}${Fleet.#from({ address: word("address") })}`],
      denied: () => ["warning", `may not ${word("access")} ${word("topic")}`],
      limited: () => ["warning", `over its limit of ${word("limit")}${said.topic ? ` on ${word("topic")}` : ""}`],
      added: () => ["plain", "was added"],
      revoked: () => ["cut", "was revoked: its keys are destroyed"],
      disabled: () => ["cut", "was disabled"],
      enabled: () => ["plain", "was enabled again"],
      rotated: () => ["plain", "has a new key"],
      removed: () => ["cut", "was removed"],
      expired: () => ["cut", "has expired"],
      duplicate_use: () => ["warning", `its key is used in two places: ${word("address")} and ${word("other")}`],
    };
    if (!Object.hasOwn(says, kind)) return; // connect and disconnect: presence tells them
    this.#note(id, at, ...says[kind]());
    const device = this.devices.get(id);
    if (!device) return;
    this.#count(device, -1);
    if (Fleet.CUTS.includes(kind)) device.cut = kind;
    else if (kind === "duplicate_use" && said.action === "quarantined") device.cut = "quarantined";
    else if (kind === "enabled" && device.cut === "disabled") device.cut = "";
    else if (kind === "rotated" && device.cut === "quarantined") device.cut = "";
    this.#count(device, 1);
    this.version++;
  }

  /* devices/ID/FEED: a number, on or off, or some text. What is below cmd/ was said by a page like this one. */
  #feed(id, name, payload) {
    const device = this.devices.get(id);
    if (!device || !name || name.startsWith("cmd/")) return;
    if (payload.length === 0) {
      device.feeds.delete(name);
      return;
    }
    let feed = device.feeds.get(name);
    if (!feed) {
      if (device.feeds.size >= Fleet.FEEDS) return;
      device.feeds.set(name, feed = { name, kind: "", text: "", values: [], at: 0 });
    }
    feed.text = Fleet.#text(payload.subarray(0, 200));
    feed.at = Date.now();
    const value = /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(feed.text) ? Number(feed.text) : NaN;
    if (Number.isFinite(value)) {
      feed.kind = "number";
      feed.values.push(value);
      if (feed.values.length > Fleet.HISTORY) feed.values.shift();
    } else {
      feed.text = feed.text.trim();
      feed.kind = /^(on|off)$/i.test(feed.text) ? "toggle" : "text";
    }
  }

  #add(id) {
    const device = {
      id, key: Fleet.#sortKey(id), state: "", cut: "", seq: -1, since: 0, connectedAt: 0, conn: 0, keepalive: 0,
      protocol: 0, client: "", address: "", session: "", reason: "", told: 0, history: [], feeds: new Map(),
    };
    this.devices.set(id, device);
    this.#fresh.push(device);
    return device;
  }

  #forget(id) {
    const device = this.devices.get(id);
    if (!device) return;
    this.#count(device, -1);
    this.devices.delete(id);
    this.#gone = true;
    this.version++;
  }

  #note(id, at, tone, text) {
    const entry = { id, at, tone, text };
    this.activity.push(entry);
    if (this.activity.length > Fleet.ACTIVITY) this.activity.shift();
    const history = this.devices.get(id)?.history;
    if (!history) return;
    history.push(entry);
    if (history.length > Fleet.HISTORY) history.shift();
  }

  #count(device, by) {
    if (device.state === "") return;
    this.counts.all += by;
    for (const filter of ["online", "offline", "cut"]) if (Fleet.#isIn(device, filter)) this.counts[filter] += by;
  }

  static CUTS = ["revoked", "disabled", "expired", "quarantined"];

  /** A reason of devreg for a person. */
  static reason(word) {
    const words = {
      client_disconnect: "it said goodbye", keepalive_timeout: "it fell silent", connection_lost: "the connection broke",
      session_taken_over: "another connection took over", server_shutdown: "the broker was stopped",
      broker_restart: "the broker was restarted", unknown: "the connection ended", none: "the connection ended",
    };
    return Object.hasOwn(words, word) ? words[word] : word.replaceAll("_", " ");
  }

  static #isIn(device, filter) {
    return filter === "cut" ? device.cut !== "" : device.state === filter && (filter === "online" || device.cut === "");
  }

  static #from(device) {
    return device.address ? ` from ${device.address}` : "";
  }

  static #text(payload) {
    return Fleet.#decoder.decode(payload);
  }

  static #number(value) {
    return Number.isFinite(value) ? Math.min(Math.max(value, 0), 8e15) : 0; // what a Date can hold
  }

  static #word(value) {
    return typeof value === "string" ? value.slice(0, 300) : "";
  }

  /* pump-9 stands before pump-10: numbers are compared as such. */
  static #sortKey(id) {
    return id.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, "0"));
  }

  static #byName(a, b) {
    return a.key < b.key ? -1 : a.key > b.key ? 1 : a.id < b.id ? -1 : 1;
  }

  static #merge(a, b) {
    const all = [];
    let i = 0, j = 0;
    while (i < a.length && j < b.length) all.push(Fleet.#byName(a[i], b[j]) < 0 ? a[i++] : b[j++]);
    while (i < a.length) all.push(a[i++]);
    while (j < b.length) all.push(b[j++]);
    return all;
  }

  static #decoder = new TextDecoder();
}
