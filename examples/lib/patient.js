/* patient.js - MQTT for a page, which says why it is not connected, and tries again with growing pauses.
 *
 * A wrong name or key and a broker that is away are two things. A browser does not tell a page why a
 * WebSocket did not open, so a certificate that is not trusted looks like a broker that is away: then the
 * text says both, and how to see which. Each text is told once, and again only when it changes.
 *
 *   const link = new PatientClient({
 *     url: "wss://localhost:9001/mqtt", user: "phone", key: "...", topics: ["anna/feeds/#"],
 *     onState(state, text) {},        // "connecting", "online", "refused", "away"; text is for a person
 *     onMessage(topic, payload, retained) {},   // payload: Uint8Array
 *     onDenied(topic) {},             // a subscription that no rule of the broker allows
 *   });
 *   link.publish("anna/feeds/toggle", "on", { retain: true }).catch((error) => show(error.message));
 *   link.follow("devices/pump-7/+");   // one topic more, until link.unfollow() of it
 *   link.end();
 *
 * The key is kept in this object alone. Remembered.set() keeps it for the tab, if the person wants that.
 * Needs mqtt.min.js (MQTT.js 5) before it. A plain script: Mosquitto's http_dir tells no content type,
 * and browsers take modules only with one.
 */
"use strict";

class PatientClient {
  static #refusals = new Map([
    [1, "This broker speaks another version of MQTT."], [132, "This broker speaks another version of MQTT."],
    [2, "This client id is not let in."], [133, "This client id is not let in."],
    [3, "The broker is not ready."], [136, "The broker is not ready."], [137, "The broker is busy."],
    [4, "The name or the key is wrong."], [134, "The name or the key is wrong."],
    [5, "The name or the key is wrong."], [135, "The name or the key is wrong."],
  ]);

  #options;
  #topics; // subscribed to at each connect
  #client = null;
  #timer = 0;
  #pause;
  #said = "";
  #ended = false;
  #wake = () => document.hidden || this.#timer === 0 || this.#try();

  /** Connects at once. `pause` and `pauseMax` are milliseconds; `qos` is that of the subscriptions; `id` is the
   * client id, by default the name and a random part, for several tabs are several clients. */
  constructor(options) {
    this.#options = {
      topics: [], qos: 1, pause: 1000, pauseMax: 60000, id: PatientClient.clientId(options.user),
      onState() {}, onMessage() {}, onDenied() {}, ...options,
    };
    this.#topics = new Set(this.#options.topics);
    this.#pause = this.#options.pause;
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#try();
  }

  static clientId(user) {
    const random = crypto.getRandomValues(new Uint8Array(4));
    return `${user}-${Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }

  get online() {
    return this.#client !== null && this.#client.connected;
  }

  /** Resolves when the broker has taken the message; rejects when it says no, or there is no connection. */
  async publish(topic, payload, options = {}) {
    if (!this.online) throw new Error("not connected");
    try {
      await this.#client.publishAsync(topic, payload, { qos: 1, ...options });
    } catch (error) {
      throw error.code === 135 ? new Error(`no rule allows this page to publish on ${topic}`) : error;
    }
  }

  follow(topic) {
    this.#topics.add(topic);
    if (this.online) this.#subscribe(this.#client, topic);
  }

  unfollow(topic) {
    this.#topics.delete(topic);
    if (this.online) this.#client.unsubscribe(topic);
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#timer);
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    if (this.#client) this.#client.end(!this.#client.connected);
  }

  #say(state, text) {
    if (`${state} ${text}` === this.#said) return;
    this.#said = `${state} ${text}`;
    this.#options.onState(state, text);
  }

  #try() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#said === "") this.#say("connecting", "Connecting ...");
    const { url, user, key, id } = this.#options;
    let client, refused = "", was = false;
    try {
      client = mqtt.connect(url, {
        protocolVersion: 5, username: user, password: key, clientId: id, clean: true, keepalive: 60,
        connectTimeout: 15000, reconnectPeriod: 0, resubscribe: false, queueQoSZero: false,
      });
    } catch (error) { // such as ws:// from a page that came by https://
      this.#say("away", `No connection to ${url}: ${error.message}`);
      this.#rest();
      return;
    }
    this.#client = client;
    client.on("connect", () => {
      was = true;
      this.#connected(client);
    });
    client.on("message", (topic, payload, packet) => this.#options.onMessage(topic, payload, packet.retain));
    client.on("error", (error) => {
      if (typeof error.code === "number") {
        refused = PatientClient.#refusals.get(error.code) ?? `The broker says no (reason ${error.code}).`;
      }
    });
    client.on("close", () => {
      if (this.#ended || client !== this.#client) return;
      this.#client = null;
      client.end(true);
      if (refused) this.#say("refused", refused);
      else this.#say("away", was ? "The connection is lost." : PatientClient.#away(url));
      this.#rest();
    });
  }

  #connected(client) {
    this.#pause = this.#options.pause;
    this.#say("online", "Connected.");
    for (const topic of this.#topics) this.#subscribe(client, topic);
  }

  #subscribe(client, topic) {
    client.subscribe(topic, { qos: this.#options.qos }, (error) => {
      if (error && client.connected) this.#options.onDenied(topic);
    });
  }

  static #away(url) {
    const { protocol, host } = new URL(url);
    return protocol === "wss:"
      ? `The broker is away, or its certificate is not trusted: open https://${host}/ once to see.`
      : `The broker is away: nothing answers at ${url}.`;
  }

  /* Between half of the pause and all of it, so that a thousand pages do not come at once. */
  #rest() {
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#try(), this.#pause * (0.5 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, this.#options.pauseMax);
  }
}

/** The name and the key for as long as the tab is open, if the person ticked that; never longer. */
const Remembered = {
  get: () => JSON.parse(sessionStorage.getItem("devreg") ?? "null"),
  set: (user, key) => sessionStorage.setItem("devreg", JSON.stringify({ user, key })),
  forget: () => sessionStorage.removeItem("devreg"),
};
