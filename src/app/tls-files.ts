/** The certificate and key of a server, as files that somebody renews. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Logger } from '../ports.ts';
import type { TlsMaterial } from '../verifier/server.ts';

export interface TlsFiles {
  certFile: string;
  keyFile: string;
}

/** A mounted Secret shows a change within about a minute; polling also sees through its symbolic links. Milliseconds. */
const INTERVAL = 5000;

/** Throws when they cannot be read or are no pair, with the file in the message. */
export async function readTls({ certFile, keyFile }: TlsFiles): Promise<TlsMaterial> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new Error(`Cannot serve TLS with ${certFile} and ${keyFile} (${why})`, { cause: error });
  }
}

/** Tells of a pair that is another than `inForce`, once both files fit each other. Returns how to end it. */
export function watchTls(
  files: TlsFiles,
  inForce: TlsMaterial,
  onChange: (tls: TlsMaterial) => void,
  log: Logger,
): () => void {
  let known = textOf(inForce);
  const look = async () => {
    try {
      const tls = await readTls(files);
      if (textOf(tls) === known) return;
      known = textOf(tls);
      onChange(tls);
      log.info({ certFile: files.certFile }, 'certificate renewed');
    } catch (error) {
      log.warn({ err: error }, 'certificate not renewed');
    }
  };
  void look();
  const timer = setInterval(() => void look(), INTERVAL);
  return () => clearInterval(timer);
}

function textOf({ cert, key }: TlsMaterial): string {
  return `${cert}${key}`;
}
