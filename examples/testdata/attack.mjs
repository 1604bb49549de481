// Sends what plan.json beside it lists, each as an attacker would who knows that
// client libraries tidy up what they are given: paths go out as they are, and what
// is bytes alone goes out as bytes. What became of each goes to outcomes.json.
//
// It runs inside a build that a test confines, whose every way out leads to the
// test's own listener. See baseline_attack_linux_test.go.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

const here = new URL(".", import.meta.url);
const plan = JSON.parse(fs.readFileSync(new URL("plan.json", here), "utf8"));
const patience = 300_000; // milliseconds; nothing here waits for it to pass, and a machine may be slow

// The test leads all names to its listener before it answers.
if (plan.signal) {
  fs.writeFileSync(new URL("begin", here), "begin\n");
  fs.readSync(fs.openSync(new URL("go", here)), Buffer.alloc(16));
}

function request(r) {
  return new Promise((resolve) => {
    const secure = r.scheme === "https" || r.scheme === "wss";
    const headers = { ...r.headers, "User-Agent": r.name };
    if (r.scheme === "ws" || r.scheme === "wss") {
      Object.assign(headers, {
        Connection: "Upgrade", Upgrade: "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      });
    }
    const body = r.body || (["POST", "PUT", "PATCH"].includes(r.method) ? "secret" : "");
    if (body) headers["Content-Length"] = Buffer.byteLength(body);
    let q;
    try {
      q = (secure ? https : http).request({
        host: r.host, port: r.port, method: r.method, path: r.path, headers, agent: false, timeout: patience,
        servername: net.isIP(r.host) ? "" : r.host.replace(/\.$/, ""),
      });
    } catch (e) {
      return resolve({ error: String(e) });
    }
    q.on("response", (s) => {
      let text = "";
      s.setEncoding("utf8");
      s.on("data", (d) => { text += d; });
      s.on("end", () => resolve({ status: s.statusCode, denied: text.startsWith("proxaudit: ") }));
      s.on("error", (e) => resolve({ status: s.statusCode, error: String(e) }));
    });
    q.on("upgrade", (s, socket) => { socket.destroy(); resolve({ status: s.statusCode }); });
    q.on("timeout", () => q.destroy(new Error("no answer")));
    q.on("error", (e) => resolve({ error: String(e) }));
    q.end(body);
  });
}

function bytes(w) {
  return new Promise((resolve) => {
    let text = "";
    const to = { host: w.host, port: w.port };
    const done = (error) => {
      c.destroy();
      const status = /^HTTP\/1\.\d (\d+)/.exec(text);
      resolve({ status: status ? Number(status[1]) : 0, denied: text.includes("\r\n\r\nproxaudit: "), error });
    };
    const c = w.tls
      ? tls.connect({ ...to, servername: w.server_name ?? "", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
      : net.connect(to);
    c.setTimeout(patience, () => done("no answer"));
    c.on(w.tls ? "secureConnect" : "connect", () => c.write(w.payload));
    c.on("data", (d) => { text += d.toString("latin1"); });
    c.on("end", () => done());
    c.on("close", () => done());
    c.on("error", (e) => done(String(e)));
  });
}

const outcomes = new Array(plan.requests.length);
let next = 0;
async function work() {
  while (next < plan.requests.length) {
    const at = next++;
    const r = plan.requests[at];
    outcomes[at] = { name: r.name, ...await (r.wire ? bytes(r.wire) : request(r)) };
  }
}
await Promise.all(Array.from({ length: 16 }, work));
fs.writeFileSync(new URL("outcomes.json", here), JSON.stringify(outcomes));
