/** `tokenwright version`. */
import { VERSION } from '../../version.ts';
import { createCommand } from '../command.ts';

export const version = createCommand({ name: 'version', description: 'Print the version.' }).action(() => {
  process.stdout.write(`tokenwright ${VERSION}\n`);
});
