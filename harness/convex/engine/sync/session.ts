import type { WebSocket } from "ws";
import { messageOf } from "../failures.ts";
import { type Caller, NOBODY } from "../functions/invocation.ts";
import type { Outcome } from "../functions/outcome.ts";
import type { Runner } from "../functions/runner.ts";
import { log } from "../log.ts";
import type { Authenticator } from "../server/auth.ts";
import type { Lane } from "../storage/lane.ts";
import { type Clock, decodeTimestamp, encodeTimestamp } from "./clock.ts";
import { type LiveQueries, type Subscription, contentOf } from "./livequeries.ts";
import { type ClientMessage, type StateVersion, argumentsOf, transitionText } from "./protocol.ts";
import type { RequestLog } from "./requests.ts";

/** What a session needs of the engine. */
export interface SessionContext {
  lane: Lane;
  runner: Runner;
  queries: LiveQueries;
  requests: RequestLog;
  authenticator: Authenticator;
  clock: Clock;
}

/** More than this unsent, and a client gets no updates until it has read. */
const MAX_UNSENT_BYTES = 1 << 20;

/** More than this unanswered, and no more is read of a client's messages until half are done. */
const MAX_PENDING = 256;

type MessageOf<T extends ClientMessage["type"]> = Extract<ClientMessage, { type: T }>;

/** One WebSocket of a client: its queries, its identity and what it has seen.
 *
 *  A client's messages are handled in their order. Updates are computed when they are sent,
 *  so that a slow client skips states instead of collecting them.
 */
export class Session {
  readonly #socket: WebSocket;
  readonly #context: SessionContext;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #stale = new Set<Subscription>();
  #version: StateVersion = { querySet: 0, identity: 0, ts: 0n };
  #caller: Caller = NOBODY;
  #sessionId = "";
  #handled: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #unsent = 0;
  #pending = 0;
  #refreshing = false;
  #owesTransition = false;
  #expiry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(socket: WebSocket, context: SessionContext) {
    this.#socket = socket;
    this.#context = context;
  }

  receive(text: string): void {
    this.#begin();
    this.#handled = this.#handled
      .then(() => this.#handle(JSON.parse(text) as ClientMessage))
      .catch((error: unknown) => this.#fail(messageOf(error)))
      .finally(() => this.#done());
  }

  /** Actions do not count: they may wait for what the same client sends later. */
  #begin(): void {
    if (++this.#pending === MAX_PENDING) this.#socket.pause();
  }

  #done(): void {
    if (--this.#pending === MAX_PENDING / 2) this.#socket.resume();
  }

  ping(): void {
    this.#send('{"type":"Ping"}');
  }

  /** Tells the client that the engine stops; it will try to come back. */
  end(): void {
    this.#socket.close(1001, "EngineStopping");
  }

  /** Ends the connection of a client that does not end it itself. */
  terminate(): void {
    this.#socket.terminate();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#expiry);
    for (const subscription of this.#subscriptions.values()) {
      this.#context.queries.unsubscribe(subscription);
    }
    this.#subscriptions.clear();
  }

  async #handle(message: ClientMessage): Promise<void> {
    if (this.#closed) return;
    if (!this.#sessionId && message.type !== "Connect") {
      throw new Error(`a session begins with Connect, not ${message.type}`);
    }
    switch (message.type) {
      case "Connect":
        this.#sessionId = message.sessionId;
        if (message.maxObservedTimestamp) {
          this.#context.clock.observe(decodeTimestamp(message.maxObservedTimestamp));
        }
        return;
      case "ModifyQuerySet":
        return this.#modifyQuerySet(message);
      case "Authenticate":
        return this.#authenticate(message);
      case "Mutation":
        this.#startMutation(message);
        return;
      case "Action":
        void this.#runAction(message);
        return;
      case "Event":
        return;
      default:
        throw new Error(
          `unknown message type ${JSON.stringify((message as { type: unknown }).type)}`,
        );
    }
  }

  async #modifyQuerySet(message: MessageOf<"ModifyQuerySet">): Promise<void> {
    if (message.baseVersion !== this.#version.querySet) {
      throw new Error(
        `the query set is at version ${this.#version.querySet}, not ${message.baseVersion}`,
      );
    }
    const removed: string[] = [];
    for (const change of message.modifications) {
      if (change.type === "Add") {
        const call = {
          path: change.udfPath,
          args: argumentsOf(change.args),
          caller: this.#caller,
        };
        const subscription: Subscription = this.#context.queries.subscribe(
          call,
          change.journal ?? null,
          change.queryId,
          () => this.#markStale(subscription),
        );
        this.#subscriptions.set(change.queryId, subscription);
        this.#stale.add(subscription);
      } else {
        const subscription = this.#subscriptions.get(change.queryId);
        if (!subscription) continue;
        this.#context.queries.unsubscribe(subscription);
        this.#subscriptions.delete(change.queryId);
        this.#stale.delete(subscription);
        removed.push(`{"type":"QueryRemoved","queryId":${change.queryId}}`);
      }
    }
    await this.#context.lane.read(() => this.#advance({ querySet: message.newVersion }, removed));
  }

  async #authenticate(message: MessageOf<"Authenticate">): Promise<void> {
    const { authenticator } = this.#context;
    clearTimeout(this.#expiry);
    try {
      if (message.tokenType === "User") {
        const { caller, expiresAt } = await authenticator.user(message.value);
        this.#caller = caller;
        this.#watchExpiry(expiresAt);
      } else if (message.tokenType === "Admin") {
        this.#caller = authenticator.admin(message.value, message.impersonating);
      } else {
        this.#caller = NOBODY;
      }
    } catch (error) {
      this.#refuse(messageOf(error), message.baseVersion, true);
      return;
    }
    this.#resubscribe();
    await this.#context.lane.read(() => this.#advance({ identity: message.baseVersion + 1 }, []));
  }

  /** Who may see what has changed with the caller. */
  #resubscribe(): void {
    for (const old of [...this.#subscriptions.values()]) {
      const { path, args } = old.query;
      const journal = old.query.journals.get("") ?? null;
      const call = { path, args, caller: this.#caller };
      const subscription: Subscription = this.#context.queries.subscribe(
        call,
        journal,
        old.queryId,
        () => this.#markStale(subscription),
      );
      subscription.sent = old.sent;
      this.#context.queries.unsubscribe(old);
      this.#stale.delete(old);
      this.#subscriptions.set(old.queryId, subscription);
      this.#stale.add(subscription);
    }
  }

  #watchExpiry(expiresAt: number): void {
    const delay = Math.min(Math.max(expiresAt - Date.now(), 0), 2 ** 31 - 1);
    this.#expiry = setTimeout(() => {
      this.#caller = NOBODY;
      this.#refuse("Token expired", this.#version.identity, false);
    }, delay);
    this.#expiry.unref();
  }

  #startMutation(message: MessageOf<"Mutation" | "Action">): void {
    const { runner, requests, clock } = this.#context;
    const call = {
      path: message.udfPath,
      args: argumentsOf(message.args),
      caller: this.#caller,
    };
    const answer = (outcome: Outcome) => {
      this.#sendResponse("MutationResponse", message.requestId, outcome, clock);
      // The client completes a mutation when a transition has passed it.
      this.#owesTransition = true;
      this.#refresh();
    };
    this.#begin();
    runner
      .mutation(call, {
        earlier: () => requests.find(this.#sessionId, message.requestId),
        beforeCommit: (outcome) => requests.keep(this.#sessionId, message.requestId, outcome.value),
        onCommit: answer,
      })
      .then((outcome) => {
        if (!outcome.ok) answer(outcome);
      })
      .catch((error: unknown) => this.#fail(messageOf(error)))
      .finally(() => this.#done());
  }

  async #runAction(message: MessageOf<"Mutation" | "Action">): Promise<void> {
    const call = {
      path: message.udfPath,
      args: argumentsOf(message.args),
      caller: this.#caller,
    };
    const outcome = await this.#context.runner.action(call);
    this.#sendResponse("ActionResponse", message.requestId, outcome, null);
  }

  #sendResponse(type: string, requestId: number, outcome: Outcome, clock: Clock | null): void {
    const logLines = JSON.stringify(outcome.logLines);
    const head = `{"type":"${type}","requestId":${requestId},"success":${outcome.ok},"logLines":${logLines}`;
    if (outcome.ok) {
      const ts = clock ? `,"ts":"${encodeTimestamp(clock.last)}"` : "";
      this.#send(`${head},"result":${outcome.value}${ts}}`);
    } else {
      const data = outcome.data === undefined ? "" : `,"errorData":${JSON.stringify(outcome.data)}`;
      this.#send(`${head},"result":${JSON.stringify(outcome.message)}${data}}`);
    }
  }

  #markStale(subscription: Subscription): void {
    this.#stale.add(subscription);
    this.#refresh();
  }

  #refresh(): void {
    if (this.#refreshing || this.#closed) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) return;
    this.#refreshing = true;
    void this.#context.lane
      .read(async () => {
        this.#refreshing = false;
        await this.#advance({}, []);
      })
      .catch((error: unknown) => this.#fail(messageOf(error)));
  }

  /** Brings the client to the present. Runs in the lane, so all it sends is one state. */
  async #advance(change: Partial<StateVersion>, first: string[]): Promise<void> {
    if (this.#closed) return;
    const modifications = first;
    for (const subscription of [...this.#stale]) {
      this.#stale.delete(subscription);
      const body = await this.#context.queries.result(subscription.query, this.#caller);
      const content = contentOf(body);
      const removed = this.#subscriptions.get(subscription.queryId) !== subscription;
      if (removed || content === subscription.sent) continue;
      subscription.sent = content;
      modifications.push(`{"queryId":${subscription.queryId},${body}}`);
    }
    const versionChanged = change.querySet !== undefined || change.identity !== undefined;
    if (!modifications.length && !versionChanged && !this.#owesTransition) return;
    this.#owesTransition = false;
    const start = this.#version;
    this.#version = { ...start, ...change, ts: this.#context.clock.last };
    this.#send(transitionText(start, this.#version, modifications));
  }

  #refuse(error: string, baseVersion: number, authUpdateAttempted: boolean): void {
    this.#write(JSON.stringify({ type: "AuthError", error, baseVersion, authUpdateAttempted }));
    this.#socket.close(1008, "AuthError");
    this.close();
  }

  #fail(reason: string): void {
    if (this.#closed) return;
    log("warn", `a session ended: ${reason}`);
    this.#write(JSON.stringify({ type: "FatalError", error: reason }));
    this.#socket.close(1011, "InternalServerError");
    this.close();
  }

  /** Sends in order, and nothing that tells of a commit before it is on disk. */
  #send(text: string): void {
    const settled = this.#context.lane.settled();
    if (!settled && !this.#unsent) return this.#write(text);
    this.#unsent++;
    this.#sending = this.#sending
      .then(() => settled)
      .then(() => {
        this.#unsent--;
        this.#write(text);
      });
  }

  #write(text: string): void {
    if (this.#closed || this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, () => {
      const waiting = this.#stale.size > 0 || this.#owesTransition;
      if (waiting && this.#socket.bufferedAmount <= MAX_UNSENT_BYTES) this.#refresh();
    });
  }
}
