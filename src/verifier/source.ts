/** Whose call it is, by address: from one header, and only when a proxy that is trusted sent it. */
import { BlockList, isIP, SocketAddress } from 'node:net';
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
  const trusted = new BlockList();
  for (const cidr of trustedProxies) {
    const { address, bits, family } = parseCIDR(cidr) ?? {};
    if (address === undefined || bits === undefined) throw new RangeError(`${JSON.stringify(cidr)} is no CIDR`);
    trusted.addSubnet(address, bits, family);
  }
  const isTrusted = (address: string) => trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
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

/** In one spelling. An IPv4 address that came over an IPv6 socket is the IPv4 address. */
function plainAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version !== 6) return version === 4 ? text : undefined;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

export function parseCIDR(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  const bits = /^[0-9]{1,3}$/.test(length ?? '') ? Number(length) : Number.NaN;
  if (version === 0 || rest.length > 0 || !(bits <= (version === 4 ? 32 : 128))) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}
