/** Whether what concurrent transactions saw fits some order in which they ran one after another, and
 *  that agrees with real time: what had ended comes before what began later.
 *
 *  Each write notes the version it replaced, so a key's versions form a chain. From these chains
 *  follow all dependencies; an order exists if they and real time have no cycle (Adya, "Weak
 *  Consistency", 1999, with real time added).
 */

/** A version by key; null where there was none. */
export type Observed = Map<number, string | null>;

export interface Recorded {
  name: string;
  began: number;
  ended: number;
  /** What was there before each read and each write. */
  seen: Observed;
  /** The versions it wrote. */
  wrote: Map<number, string>;
  /** What the same reader was told before, which must not be later. */
  after: Recorded | null;
}

/** What is wrong with a history, in a line; null for one that is strictly serializable.
 *
 *  @param history What was answered; whether a transaction without an answer ran is not asked.
 */
export function violationOf(history: Recorded[]): string | null {
  const writers = new Map<string, Recorded>();
  for (const each of history) {
    for (const version of each.wrote.values()) writers.set(version, each);
  }
  const successors = new Map<string, Recorded>();
  for (const each of history) {
    for (const key of each.wrote.keys()) {
      const replaced = `${key} after ${each.seen.get(key) ?? "nothing"}`;
      const other = successors.get(replaced);
      if (other) return `${other.name} and ${each.name} both wrote ${replaced}`;
      successors.set(replaced, each);
    }
  }
  const edges = new Map<Recorded, Set<Recorded>>(history.map((each) => [each, new Set()]));
  for (const each of history) {
    for (const [key, version] of each.seen) {
      const writer = version === null ? null : writers.get(version);
      if (writer === undefined) return `${each.name} saw ${version}, which nobody committed`;
      if (writer && writer !== each) edges.get(writer)!.add(each);
      const next = successors.get(`${key} after ${version ?? "nothing"}`);
      if (next && next !== each) edges.get(each)!.add(next);
    }
    if (each.after) edges.get(each.after)!.add(each);
    for (const later of history) if (each.ended < later.began) edges.get(each)!.add(later);
  }
  const cycle = cycleIn(edges);
  return cycle && `no order fits: ${cycle.map(({ name }) => name).join(" before ")}`;
}

/** A cycle, with its first member once more at its end; null if there is none. */
function cycleIn<T>(edges: Map<T, Set<T>>): T[] | null {
  const done = new Set<T>();
  for (const start of edges.keys()) {
    const path: { node: T; left: Iterator<T> }[] = [];
    const onPath = new Set<T>();
    const enter = (node: T) => {
      onPath.add(node);
      path.push({ node, left: edges.get(node)![Symbol.iterator]() });
    };
    if (!done.has(start)) enter(start);
    while (path.length) {
      const { node, left } = path.at(-1)!;
      const next = left.next();
      if (next.done) {
        path.pop();
        onPath.delete(node);
        done.add(node);
      } else if (onPath.has(next.value)) {
        const nodes = path.map((step) => step.node);
        return [...nodes.slice(nodes.indexOf(next.value)), next.value];
      } else if (!done.has(next.value)) {
        enter(next.value);
      }
    }
  }
  return null;
}
