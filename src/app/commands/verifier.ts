/** `tokenwright verifier`. */
import { VERSION } from '../../version.ts';
import { runVerifier } from '../verifier.ts';
import { verifierCommand } from '../verifier-config.ts';
import { serve } from './service.ts';

export const verifier = verifierCommand((config) =>
  serve('verifier', config, (log, stop) => runVerifier({ config, version: VERSION, log, stop })),
);
