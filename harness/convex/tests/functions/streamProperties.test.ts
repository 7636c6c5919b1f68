import fc from "fast-check";
import { expect, it } from "vitest";
import { api } from "../../functions/_generated/api.js";
import { describeFunctions } from "./support/backend.js";
import { answerOf, append, cancel, startAttempt, streamingMessage } from "./support/given.js";

/** What a writer does: a model call of a turn, the next flush of the newest or an older attempt, or
 *  a flush again, as after a lost answer, with something new behind it or not. */
type Step =
  | { do: "attempt"; turn: number }
  | { do: "flush"; back: number; texts: string[] }
  | { do: "repeat"; overlap: number; texts: string[] }
  | { do: "read" };

const texts = fc.array(fc.string({ maxLength: 4 }), { maxLength: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("attempt" as const), turn: fc.nat(2) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("flush" as const), back: fc.nat(1), texts }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("repeat" as const), overlap: fc.nat(3), texts }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("read" as const) }) },
);

/** What every reader must see: the deltas of the newest attempt of each turn. */
class Model {
  winners = [1];
  attempt = 1;
  deltas: { attempt: number; text: string }[] = [];

  startAttempt(turn: number): number {
    this.attempt += 1;
    this.winners = [...this.winners.slice(0, turn), this.attempt];
    return this.attempt;
  }

  add(added: string[]): void {
    for (const text of added) this.deltas.push({ attempt: this.attempt, text });
  }

  /** The newest attempt's deltas at the end of the stream. */
  get ownTail(): string[] {
    const own = this.deltas.filter(({ attempt }) => attempt === this.attempt);
    return own.map(({ text }) => text);
  }

  get text(): string {
    const won = this.deltas.filter(({ attempt }) => this.winners.includes(attempt));
    return won.map(({ text }) => text).join("");
  }
}

describeFunctions("any stream", (backend) => {
  async function take(key: string, model: Model, now: Step): Promise<void> {
    const seq = model.deltas.length;
    if (now.do === "attempt") {
      const turn = Math.min(now.turn, model.winners.length);
      const attempt = model.startAttempt(turn);
      expect(await startAttempt(backend, key, turn)).toEqual({ attempt, seq, stop: null });
    } else if (now.do === "flush") {
      const attempt = Math.max(1, model.attempt - now.back);
      const stop = attempt === model.attempt ? null : "fenced";
      if (stop === null) model.add(now.texts);
      const nextSeq = model.deltas.length;
      expect(await append(backend, key, attempt, seq, ...now.texts)).toEqual({ stop, nextSeq });
    } else if (now.do === "repeat") {
      const own = model.ownTail;
      const again = own.slice(own.length - Math.min(now.overlap, own.length));
      model.add(now.texts);
      const from = seq - again.length;
      expect(await append(backend, key, model.attempt, from, ...again, ...now.texts)).toEqual({
        stop: null,
        nextSeq: model.deltas.length,
      });
    }
  }

  it("joins to its winning attempts, for its reader and in its content", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { key, owner, subject } = await streamingMessage(backend);
        const model = new Model();
        const seen: { seq: number; turn: number; attempt: number; text: string }[] = [];
        const read = async () => {
          const after = seen.length - 1;
          const view = await owner.query(api.messages.stream, { messageKey: key, after });
          seen.push(...view!.deltas);
          const won = seen.filter(({ turn, attempt }) => view!.attempts[turn] === attempt);
          expect(seen.map(({ seq }) => seq)).toEqual([...seen.keys()]);
          expect(won.map(({ text }) => text).join("")).toBe(model.text);
        };
        for (const now of steps) await (now.do === "read" ? read() : take(key, model, now));
        await read();
        await cancel(backend, key, subject);
        expect((await answerOf(backend, key)).content).toBe(model.text);
      }),
      { numRuns: 40 },
    );
  });
});
