/** For a question about a text that is asked again and again, and is always answered alike. */

/** Forgets everything when it knows `limit` texts: whoever makes up ever new ones gains nothing by it. */
export function remembered<T>(ask: (text: string) => T, limit = 1000): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const answer = ask(text);
    if (known.size >= limit) known.clear();
    known.set(text, answer);
    return answer;
  };
}
