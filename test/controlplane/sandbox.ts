import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BinaryName, BinaryName as Name } from '../../tools/controlplane/releases.ts';
import { fakeProgram } from './release-server.ts';

/** A machine of its own for one test: an empty cache, and a PATH with what the test puts there. */
export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), 'tokenwright-sandbox-'));
  readonly lines: string[] = [];
  readonly log = (line: string): void => void this.lines.push(line);
  readonly #goCalls = join(this.directory, 'go-calls');

  get env(): Record<string, string> {
    const path = `${join(this.directory, 'bin')}:/usr/bin:/bin`;
    return { XDG_CACHE_HOME: join(this.directory, 'cache'), PATH: path, HOME: this.directory };
  }

  get said(): string {
    return this.lines.join('\n');
  }

  /** Puts an executable file somewhere below the sandbox; returns its directory. */
  program(directory: string, name: string, text: string, mode = 0o755): string {
    const path = join(this.directory, directory);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, name), text, { mode });
    return path;
  }

  /** A directory of programs that name these versions. */
  assets(versions: Partial<Record<Name, string>>): string {
    const path = join(this.directory, 'assets');
    for (const [name, version] of Object.entries(versions)) {
      this.program('assets', name, fakeProgram(name as BinaryName, version, 'the assets'));
    }
    return path;
  }

  /** Puts a `go` on the PATH that "builds" in no time, and remembers what it was asked. */
  fakeGo(kubernetes = '1.36.3'): void {
    const goMod = this.program('upstream', 'go.mod', upstreamGoMod);
    this.program('bin', 'go', fakeGo(this.#goCalls, join(goMod, 'go.mod'), kubernetes));
  }

  /** A `go` that cannot do anything. */
  brokenGo(): void {
    this.program('bin', 'go', '#!/bin/sh\necho "go: no space left on device" >&2\nexit 1\n');
  }

  goCalls(): string[] {
    try {
      return readFileSync(this.#goCalls, 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The lines of Kubernetes' own go.mod that matter to a build outside of it. */
export const upstreamGoMod = `module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/api v0.0.0
	k8s.io/client-go v0.36.3
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)
`;

const fakeGo = (calls: string, goMod: string, kubernetes: string) => `#!/bin/sh
echo "$*" >> ${calls}
make() { printf '#!/bin/sh\\n# from a build\\necho v%s\\n' "$2" > "$1"; chmod 755 "$1"; }
case "$1" in
  mod) echo '{"GoMod": "${goMod}"}' ;;
  build)
    while [ "$1" != -o ]; do shift; done
    out=$2; shift 2
    case "$out" in
      */) for package; do make "$out\${package##*/}" ${kubernetes}; done ;;
      *) make "$out" 3.6.8 ;;
    esac ;;
  install)
    for package; do :; done
    name=\${package##*/}
    make "$GOBIN/\${name%@*}" "\${package##*@v}" ;;
esac
`;
