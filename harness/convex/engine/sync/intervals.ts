/** Ranges of text that can be asked which of them hold a point.
 *
 *  A treap ordered by the lower ends, where every node knows the highest upper end below
 *  it: adding, removing and each answer take logarithmic time.
 */

export interface Interval<T> {
  readonly low: string;
  /** Exclusive. */
  readonly high: string;
  readonly owner: T;
}

interface Node<T> extends Interval<T> {
  readonly priority: number;
  readonly serial: number;
  highest: string;
  left: Node<T> | null;
  right: Node<T> | null;
}

let serials = 0;

function before<T>(a: Node<T>, b: Node<T>): boolean {
  return a.low === b.low ? a.serial < b.serial : a.low < b.low;
}

function renew<T>(node: Node<T>): Node<T> {
  let { high } = node;
  if (node.left && node.left.highest > high) high = node.left.highest;
  if (node.right && node.right.highest > high) high = node.right.highest;
  node.highest = high;
  return node;
}

function merge<T>(left: Node<T> | null, right: Node<T> | null): Node<T> | null {
  if (!left || !right) return left ?? right;
  if (left.priority > right.priority) {
    left.right = merge(left.right, right);
    return renew(left);
  }
  right.left = merge(left, right.left);
  return renew(right);
}

/** Splits into what stands before `at` and the rest. */
function split<T>(root: Node<T> | null, at: Node<T>): [Node<T> | null, Node<T> | null] {
  if (!root) return [null, null];
  if (before(root, at)) {
    const [middle, right] = split(root.right, at);
    root.right = middle;
    return [renew(root), right];
  }
  const [left, middle] = split(root.left, at);
  root.left = middle;
  return [left, renew(root)];
}

function without<T>(root: Node<T> | null, node: Node<T>): Node<T> | null {
  if (!root) return null;
  if (root === node) return merge(root.left, root.right);
  if (before(node, root)) root.left = without(root.left, node);
  else root.right = without(root.right, node);
  return renew(root);
}

function visit<T>(root: Node<T> | null, point: string, found: (owner: T) => void): void {
  if (!root || root.highest <= point) return;
  visit(root.left, point, found);
  if (root.low > point) return;
  if (point < root.high) found(root.owner);
  visit(root.right, point, found);
}

export class IntervalTree<T> {
  #root: Node<T> | null = null;

  add(low: string, high: string, owner: T): Interval<T> {
    const priority = Math.random();
    const node: Node<T> = {
      low,
      high,
      owner,
      priority,
      serial: serials++,
      highest: high,
      left: null,
      right: null,
    };
    const [left, right] = split(this.#root, node);
    this.#root = merge(merge(left, node), right);
    return node;
  }

  /** @param interval What `add` answered; it must not have been removed yet. */
  remove(interval: Interval<T>): void {
    this.#root = without(this.#root, interval as Node<T>);
  }

  /** Calls `found` with the owner of each interval that holds the point. */
  containing(point: string, found: (owner: T) => void): void {
    visit(this.#root, point, found);
  }

  get empty(): boolean {
    return this.#root === null;
  }
}
