// Contender (e) of tests/benchmarks/ingest.py: Fastify, and a commit for each request by better-sqlite3.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import Fastify from "fastify";
import Database from "better-sqlite3";

const secret = process.env.ACME_SECRET;
const store = new Database("store.db");
store.pragma("journal_mode = WAL");
store.pragma("synchronous = FULL");
store.exec(`CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY, delivery_id TEXT NOT NULL, received_at INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
)`);
const insert = store.prepare("INSERT INTO events (delivery_id, received_at, headers, body) VALUES (?, ?, ?, ?)");

const app = Fastify({ logger: false });
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
app.post("/webhooks/acme", (request, reply) => {
  const expected = createHmac("sha256", secret).update(request.body).digest();
  const given = Buffer.from(request.headers["x-webhook-signature"] ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(expected, given)) return reply.code(400).send();
  insert.run(randomUUID(), Date.now(), JSON.stringify(request.headers), request.body);
  return reply.code(200).send();
});
process.on("SIGTERM", () => app.close().then(() => process.exit(0)));
await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
