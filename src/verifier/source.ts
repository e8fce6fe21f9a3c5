/** Whose call it is, by address: from one header, and only when a proxy that is trusted sent it. */
import { networks, plainAddress } from '../domain/address.ts';
import { remembered } from '../domain/remembered.ts';
import { type RawHeaders, valuesOf } from './doors/presented.ts';

export type SourceOf = (peer: string | undefined, headers: RawHeaders) => string | undefined;

export interface SourceOptions {
  /** In lower case; such as x-forwarded-for. */
  header: string;
  /** CIDRs (RFC 4632, RFC 4291). Nobody is trusted where empty: the peer itself is the source. */
  trustedProxies: readonly string[];
}

/**
 * The right-most address of the header that no trusted proxy has: what stands left of it, anybody may have written. Undefined where the
 * trusted proxies say nothing that can be read.
 */
export function sourceReader({ header, trustedProxies }: SourceOptions): SourceOf {
  const isTrusted = remembered(networks(trustedProxies));
  return (peer, headers) => {
    const address = plainAddress(peer ?? '');
    if (address === undefined || trustedProxies.length === 0 || !isTrusted(address)) return address;
    const hops = valuesOf(headers, header).flatMap((value) => value.split(','));
    for (const hop of hops.reverse()) {
      const one = plainAddress(hop.trim());
      if (one === undefined) return undefined;
      if (!isTrusted(one)) return one;
    }
    return undefined;
  };
}
