/** The messages that fill a database: made up, the same every time. */

export interface Message {
  thread: string;
  order: number;
  text: string;
}

export const THREAD_MESSAGES = 100;
const TEXT = "Stored message about nothing in particular, as long as most that people send. ";

export function threadsOf(documents: number): number {
  return Math.max(1, Math.floor(documents / THREAD_MESSAGES));
}

export function threadName(number: number): string {
  return `thread-${number}`;
}

/** Messages come in turn from all threads, so that those of one thread lie far apart on disk. */
export function messageOf(number: number, documents: number): Message {
  const threads = threadsOf(documents);
  return {
    thread: threadName(number % threads),
    order: Math.floor(number / threads),
    text: `${TEXT}Number ${number}.`,
  };
}
