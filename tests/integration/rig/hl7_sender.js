// hl7_sender.js MODULES PORT: npm's node-hl7-client, which lies in MODULES, builds a message and a batch of two, sends them to a
// listener on this machine, and prints MSA-1 and MSA-2 of each answer it reads as JSON.
"use strict";

const path = require("node:path");

const [modules, port] = process.argv.slice(2);
const { Batch, Client, Message } = require(path.join(modules, "node_modules", "node-hl7-client"));

const PATIENCE_MS = 60000;

function set(segment, values) {
  for (const [field, value] of Object.entries(values)) segment.set(field, value);
}

function result(id, order, value) {
  const message = new Message({
    messageHeader: { msh_9_1: "ORU", msh_9_2: "R01", msh_9_3: "ORU_R01", msh_10: id, msh_11_1: "P" },
  });
  message.set("MSH.7", "20260301101500+0100");
  message.set("MSH.18", "UNICODE UTF-8");
  set(message.addSegment("PID"), { 3.1: "NODE-P1", 3.5: "MR", 5.1: "Dupont", 5.2: "Zoé", 7: "19751230", 8: "F" });
  set(message.addSegment("OBR"), { 1: "1", 2: order, 4.1: "24323-8", 4.2: "Panel", 4.3: "LN", 7: "20260301090000+0100", 25: "F" });
  set(message.addSegment("OBX"), { 1: "1", 2: "NM", 3.1: "2823-3", 3.2: "Potassium", 3.3: "LN", 5: value, 6.1: "mmol/L", 6.3: "UCUM", 11: "F" });
  return message;
}

async function main() {
  const answers = [];
  let heard = () => {};
  const client = new Client({ host: "127.0.0.1" });
  const line = client.createConnection({ port: Number(port) }, (answer) => {
    const message = answer.getMessage();
    answers.push([message.get("MSA.1").toString(), message.get("MSA.2").toString()]);
    heard();
  });
  const answered = (count) =>
    new Promise((resolve) => {
      heard = () => answers.length >= count && resolve();
      heard();
    });
  // Before, it would open a second connection.
  await new Promise((resolve) => line.once("connect", resolve));
  await line.sendMessage(result("NODE-1", "ORDER-1", "4.10"));
  await answered(1);
  const batch = new Batch();
  batch.start();
  batch.add(result("NODE-2", "ORDER-2", "4.20"));
  batch.add(result("NODE-3", "ORDER-3", "4.30"));
  batch.end();
  await line.sendMessage(batch);
  // Of answers that come together it reads the last one only.
  await answered(2);
  console.log(JSON.stringify(answers));
}

// The connection stays as long as whoever started this wants it.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
setTimeout(() => {
  console.error("it took too long");
  process.exit(1);
}, PATIENCE_MS);
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
