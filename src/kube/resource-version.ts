/**
 * Order of two resourceVersions of one kind: negative when `a` is older. They are unsigned decimal integers of up to
 * 128 bits without leading zeros (KEP-5504), so the longer one is newer. An empty or missing one is the oldest.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number {
  const left = a ?? '';
  const right = b ?? '';
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}
