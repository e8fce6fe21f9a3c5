/** `tokenwright verifier`. Loaded when it runs, so that it holds no memory in the other commands. */
import { VERSION } from '../../version.ts';
import { verifierCommand } from '../verifier-config.ts';
import { serve } from './service.ts';

export const verifier = verifierCommand(async (config) => {
  const { runVerifier } = await import('../verifier.ts');
  await serve('verifier', config, (log, stop) => runVerifier({ config, version: VERSION, log, stop }));
});
