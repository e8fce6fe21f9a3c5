import { join } from 'node:path';
import { ProcessGroup } from '../../tools/controlplane/process-group.ts';

// For process-group.test.ts: starts a process, says where it listens, and waits to be killed.
const group = await ProcessGroup.create();
const socket = join(group.directory, 'witness.sock');
group.start('witness', process.execPath, ['-e', `require('node:net').createServer().listen('${socket}')`]);
process.send?.({ directory: group.directory, socket });
