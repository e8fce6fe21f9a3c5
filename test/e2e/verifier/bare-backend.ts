/** An API behind gateways that says yes to everything, and notes nothing of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface BareBackend {
  port: number;
  stop(): void;
}

export async function startBareBackend(): Promise<BareBackend> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../../tools/bench/bare-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(createInterface({ input: child.stdout }), 'line');
  return { port: Number(port), stop: () => void child.kill() };
}
