import { createServer } from "node:http";
import { parseArgs } from "node:util";

/** A server that answers every request with one message and does nothing for it: no engine over
 *  Node's HTTP server, and no measurement of one by this generator, can be faster.
 */

const ANSWER = JSON.stringify({ status: "success", value: 0, logLines: [] });

const { values } = parseArgs({ options: { port: { type: "string" } } });

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": ANSWER.length,
    });
    response.end(ANSWER);
  });
});
server.listen(Number(values.port), "127.0.0.1");
