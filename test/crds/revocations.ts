/** Lets go of the revocations that a test made, which no operator carries out. */
import { type ApiServer, expectOk, OPERATOR } from './api-server.ts';

interface Metadata {
  name: string;
  finalizers?: string[];
}

/** @param mine which ones, in a path that others may use too */
export async function release(admin: ApiServer, path: string, mine: (of: Metadata) => boolean): Promise<void> {
  const { items } = expectOk(await admin.get(path)).body as unknown as { items: { metadata: Metadata }[] };
  const operator = admin.as(OPERATOR);
  for (const { metadata } of items.filter((item) => mine(item.metadata))) {
    expectOk(await operator.mergePatch(`${path}/${metadata.name}`, { metadata: { finalizers: null } }));
    expectOk(await operator.delete(`${path}/${metadata.name}`));
  }
}
