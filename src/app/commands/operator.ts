/** `tokenwright operator`. */
import { VERSION } from '../../version.ts';
import { runOperator } from '../operator.ts';
import { operatorCommand } from '../operator-config.ts';
import { serve } from './service.ts';

export const operator = operatorCommand((config) =>
  serve('operator', config, (log, stop) => runOperator({ config, version: VERSION, log, stop })),
);
