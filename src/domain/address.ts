/** Addresses and networks: RFC 4632 and RFC 4291, by the parsers of node:net. */
import { BlockList, isIP, SocketAddress } from 'node:net';

/** In one spelling. An IPv4 address that came over an IPv6 socket is the IPv4 address. Undefined for what is none. */
export function plainAddress(text: string): string | undefined {
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

/**
 * Whether an address is in one of the networks. One that is no address is in none.
 * @throws RangeError that names a text that is no CIDR
 */
export function networks(cidrs: readonly string[]): (address: string) => boolean {
  // apart: in a list of both, ::/0 has every IPv4 address
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const cidr of cidrs) {
    const { address, bits, family } = parseCIDR(cidr) ?? {};
    // an IPv4 address inside an IPv6 one is looked for in the other list
    if (address === undefined || bits === undefined || isIP(plainAddress(address) ?? '') !== isIP(address))
      throw new RangeError(`${JSON.stringify(cidr)} is no CIDR such as 10.0.0.0/8`);
    lists[family ?? 'ipv4'].addSubnet(address, bits, family);
  }
  return (text) => {
    const address = plainAddress(text);
    if (address === undefined) return false;
    return isIP(address) === 6 ? lists.ipv6.check(address, 'ipv6') : lists.ipv4.check(address, 'ipv4');
  };
}
