import { type Socket, connect } from "node:net";

/** One HTTP connection that is kept, with one request at a time: written by hand because Node's
 *  own client costs as much time as the engine that is measured.
 */

interface Waiting {
  resolve: (body: string) => void;
  reject: (error: Error) => void;
}

const HEAD_END = "\r\n\r\n";
const LENGTH = /\r\ncontent-length: (\d+)/i;

export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #waiting: Waiting | null = null;

  constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (data: Buffer) => this.#receive(data));
    this.#socket.on("error", (error) => this.#waiting?.reject(error));
    this.#socket.on("close", () => this.#waiting?.reject(new Error(`${url} hung up`)));
  }

  /** Calls a function and answers its value, or throws what the function failed with. */
  async call(kind: "query" | "mutation", path: string, args: unknown): Promise<any> {
    const body = JSON.stringify({ path, args, format: "convex_encoded_json" });
    const answer = JSON.parse(await this.#post(`/api/${kind}`, body));
    if (answer.status !== "success") throw new Error(answer.errorMessage ?? answer.message);
    return answer.value;
  }

  close(): void {
    this.#socket.destroy();
  }

  #post(target: string, body: string): Promise<string> {
    const head =
      `POST ${target} HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}${HEAD_END}`;
    this.#socket.write(head + body);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #receive(data: Buffer): void {
    this.#received = this.#received.length ? Buffer.concat([this.#received, data]) : data;
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const start = headEnd + HEAD_END.length;
    const end = start + Number(LENGTH.exec(head)![1]);
    if (this.#received.length < end) return;
    const body = this.#received.toString("utf8", start, end);
    this.#received = this.#received.subarray(end);
    this.#waiting!.resolve(body);
  }
}
