/** `tokenwright operator`. Loaded when it runs, so that it holds no memory in the other commands. */
import { VERSION } from '../../version.ts';
import { operatorCommand } from '../operator-config.ts';
import { serve } from './service.ts';

export const operator = operatorCommand(async (config) => {
  const { runOperator } = await import('../operator.ts');
  await serve('operator', config, (log, stop) => runOperator({ config, version: VERSION, log, stop }));
});
