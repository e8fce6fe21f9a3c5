/** `tokenwright verify`: what a value is, and whose. Its digest is compared here: the value goes nowhere. */
import { API_TOKENS, type ApiToken, type ApiTokenVersion } from '../api/apitoken.ts';
import { type Digest, type ParsedValue, parseValue, sameDigest } from '../domain/value.ts';
import { OUTCOMES, type Outcome } from '../domain/verdict/outcome.ts';
import { KubeError } from '../ports.ts';
import { Failure } from './failure.ts';
import { formatValue } from './output.ts';
import type { Session } from './session.ts';
import { plain, type Terminal } from './terminal.ts';
import { when } from './when.ts';

type WellFormed = Extract<ParsedValue, { ok: true }>;

/** What is told; never the value or its digest. */
export interface Finding {
  tokenID?: string;
  environment?: string;
  /** Undefined where no cluster was asked. */
  outcome?: Outcome;
  apiToken?: { namespace: string; name: string; uid: string };
  version?: number;
  state?: string;
  expirationTime?: string;
  acceptedUntilTime?: string;
}

/** The form, for which nothing but the value is needed. */
export function formOf(text: string): { value: WellFormed; finding: Finding } | { value?: never; finding: Finding } {
  const value = parseValue(text.trim());
  if (!value.ok) return { finding: { outcome: value.problem === 'shape' ? 'Malformed' : 'ChecksumWrong' } };
  return { value, finding: { tokenID: value.tokenID, environment: value.environment } };
}

/** Which ApiToken and version it is, and whether verifiers accept it. By status as it stands: only a verifier checks the seal. */
export async function find(session: Session, value: WellFormed): Promise<Finding> {
  const known = { tokenID: value.tokenID, environment: value.environment };
  const tokens = await withTokenID(session, value.tokenID);
  for (const token of tokens) {
    const version = token.status?.versions?.find(({ digest }) => sameDigest(digest as Digest, value.digest));
    if (version === undefined) continue;
    const { state, expirationTime, acceptedUntilTime } = version;
    return {
      ...known,
      outcome: outcomeOf(token, version, value.environment, session.now()),
      apiToken: nameParts(token),
      version: version.version,
      state,
      expirationTime,
      ...(acceptedUntilTime !== undefined && { acceptedUntilTime }),
    };
  }
  const [only, ...others] = tokens;
  if (only === undefined) return { ...known, outcome: 'TokenUnknown' };
  return { ...known, outcome: 'ValueUnknown', ...(others.length === 0 && { apiToken: nameParts(only) }) };
}

/** @throws Failure where the value is refused */
export function tell(finding: Finding, output: 'json' | undefined, terminal: Terminal, now: number): void {
  const { outcome } = finding;
  const isRefused = outcome !== undefined && outcome !== 'Allowed';
  if (output === 'json') terminal.print(formatValue(finding, 'json'));
  else {
    const verdict = outcome === undefined ? undefined : isRefused ? `no: ${outcome}` : 'yes';
    const until = finding.acceptedUntilTime ?? finding.expirationTime;
    const lines: [string, string | number | undefined][] = [
      ['Token ID', finding.tokenID],
      ['Environment', finding.environment],
      ['ApiToken', finding.apiToken && `${finding.apiToken.namespace}/${finding.apiToken.name}`],
      ['Version', finding.version],
      ['State', finding.state],
      ['Until', until && `${until} (${when(until, now)})`],
      ['Accepted', verdict],
    ];
    for (const [title, text] of lines) {
      if (text !== undefined) terminal.print(`${`${title}:`.padEnd(13)}${plain(String(text))}\n`);
    }
  }
  if (isRefused) throw new Failure(OUTCOMES[outcome].means);
}

/** In the order in which a verifier checks. */
function outcomeOf(token: ApiToken, version: ApiTokenVersion, environment: string, now: number): Outcome {
  const isOver = (time: string | undefined) => time !== undefined && Date.parse(time) / 1000 <= now;
  if (isOver(version.expirationTime)) return 'Expired';
  if (isOver(version.acceptedUntilTime)) return 'Retired';
  if (version.version <= (token.status?.revokedThroughVersion ?? 0)) return 'Revoked';
  if (token.spec.state === 'Suspended') return 'Suspended';
  return environment === token.spec.environment ? 'Allowed' : 'EnvironmentWrong';
}

async function withTokenID({ client, namespace, terminal }: Session, tokenID: string): Promise<ApiToken[]> {
  const fieldSelector = `status.tokenID=${tokenID}`;
  try {
    return await client.list(API_TOKENS, { fieldSelector });
  } catch (error) {
    if (!(error instanceof KubeError && error.reason === 'Forbidden')) throw error;
    terminal.note(
      `Only the namespace ${namespace} is searched: you may not list ApiTokens in all. Choose another by -n.`,
    );
    return client.list(API_TOKENS, { namespace, fieldSelector });
  }
}

function nameParts({ metadata: { namespace, name, uid } }: ApiToken): NonNullable<Finding['apiToken']> {
  return { namespace, name, uid };
}
