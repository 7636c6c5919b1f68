/** The engine's own log: one line an event, on standard error. */
export function log(level: "info" | "warn" | "error", message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${level} convex ${message}\n`);
}
