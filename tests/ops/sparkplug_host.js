// sparkplug_host.js MODULES PORT DAEMON CONFIG: starts the daemon and follows it as a Sparkplug B host does, all of it decoded by
// npm's sparkplug-payload; asks for a rebirth, kills the daemon, and ends with 1 at the first thing that is not as it should be.
"use strict";

const assert = require("assert");
const { spawn } = require("child_process");
const path = require("path");

const [modules, port, daemon, config] = process.argv.slice(2);
const load = (name) => require(path.join(modules, "node_modules", name));
const mqtt = load("mqtt");
const sparkplug = load("sparkplug-payload").get("spBv1.0");

const ROOT = "spBv1.0/clinics";
const NODE = "clinic-1";
const PATIENCE_MS = 30_000;
const TYPES = ["Boolean", "Int64", "Double", "String"];

const heard = [];
let onHeard = () => {};

const metric = (message, name) => message.payload.metrics.find((one) => one.name === name);
const value = (message, name) => metric(message, name)?.value;
const bdSeq = (message) => Number(value(message, "bdSeq"));

// The first message from number `since` on that is wanted.
function hears(what, wanted, since = 0) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      const types = heard.map((message) => message.type).join(" ");
      reject(new Error(`waited in vain for ${what}; heard: ${types}`));
    }, PATIENCE_MS);
    const look = () => {
      const found = heard.slice(since).find(wanted);
      if (!found) return;
      clearTimeout(late);
      resolve(found);
    };
    onHeard = look;
    look();
  });
}

// What holds for every message by the specification.
function checkAll() {
  let born = null;
  let seq = 0;
  for (const { type, payload, packet } of heard) {
    assert.equal(packet.retain, false, `${type} is retained`);
    assert.ok(Number(payload.timestamp) > 0);
    if (type === "NDEATH") continue;
    assert.equal(packet.qos, 0, `${type} has QoS ${packet.qos}`);
    seq = type === "NBIRTH" ? 0 : (seq + 1) % 256;
    assert.equal(Number(payload.seq), seq, "the row of seq is broken");
    for (const one of payload.metrics) {
      assert.ok(TYPES.includes(one.type), `${one.name} is of type ${one.type}`);
      assert.ok(Number(one.timestamp) > 0, `${one.name} has no time`);
    }
    if (type === "NBIRTH") {
      born = new Set(payload.metrics.map((one) => one.name));
      assert.equal(born.size, payload.metrics.length, "a metric was born twice");
      assert.equal(payload.metrics.find((one) => one.name === "Node Control/Rebirth").value, false);
    } else {
      for (const one of payload.metrics) assert.ok(born.has(one.name), `${one.name} was never born`);
    }
  }
}

async function follow(client) {
  const child = spawn(daemon, ["--config", config], { stdio: ["ignore", "ignore", "ignore"] });
  try {
    const ready = (message) => value(message, "health/state") === "ready";
    await hears("a gateway that is ready", ready);
    await hears("NDATA with what changes always", (message) => {
      return message.type === "NDATA" && Number(value(message, "health/uptime_s")) >= 2;
    });
    const birth = heard.find((message) => message.type === "NBIRTH");
    assert.equal(bdSeq(birth), 0, "the first session's bdSeq");
    assert.equal(value(birth, "health/site"), NODE);
    assert.equal(typeof value(birth, "metrics/process_resident_memory_bytes"), "number");

    client.publish(`${ROOT}/NCMD/${NODE}`, Buffer.from("this is no protobuf"), { qos: 1 });
    const since = heard.length;
    const rebirth = { timestamp: Date.now(), metrics: [{ name: "Node Control/Rebirth", type: "Boolean", value: true }] };
    client.publish(`${ROOT}/NCMD/${NODE}`, sparkplug.encodePayload(rebirth), { qos: 1 });
    const again = await hears("a rebirth", (message) => message.type === "NBIRTH", since);
    assert.equal(bdSeq(again), bdSeq(birth), "a rebirth is of the same session");
    await hears("NDATA after it", (message) => message.type === "NDATA", heard.indexOf(again));

    child.kill("SIGKILL");
    const death = await hears("a death", (message) => message.type === "NDEATH");
    assert.equal(bdSeq(death), bdSeq(birth), "a death is of the same session");
    assert.equal(death.payload.metrics.length, 1);
    checkAll();
    console.log(`sparkplug: ${heard.length} messages as the specification has them`);
  } finally {
    child.kill("SIGKILL");
  }
}

const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 100 });
client.on("error", () => {});
client.on("message", (topic, bytes, packet) => {
  const [, , type, node] = topic.split("/");
  if (type === "NCMD" || node !== NODE) return;
  heard.push({ type, payload: sparkplug.decodePayload(bytes), packet });
  onHeard();
});
client.on("connect", () => {
  client.subscribe(`${ROOT}/#`, { qos: 1 }, () => {
    follow(client).then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
});
