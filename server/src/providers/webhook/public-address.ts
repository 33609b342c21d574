import { BlockList, isIP } from "node:net";

/**
 * Tells addresses of the public internet from everything that stands inside: this machine, its network, the cloud's
 * metadata service. A webhook's URL comes from outside; without this it could make us knock at our own doors (SSRF).
 * Sources: IANA's special-purpose address registries (RFC 6890 and its successors).
 */

/** IPv4 that is not the public internet. */
const INSIDE_V4: readonly (readonly [net: string, bits: number])[] = [
  ["0.0.0.0", 8], // this network, RFC 791
  ["10.0.0.0", 8], // private, RFC 1918
  ["100.64.0.0", 10], // shared by carrier-grade NAT, RFC 6598
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local, RFC 3927; cloud metadata at 169.254.169.254
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments, RFC 6890
  ["192.0.2.0", 24], // documentation, RFC 5737
  ["192.88.99.0", 24], // relays of 6to4, RFC 7526
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks, RFC 2544
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, and broadcast
];

/** Where IPv6 holds an IPv4 address in its last 32 bits, which is then judged: mapped, RFC 4291; NAT64, RFC 6052. */
const EMBEDS_V4 = ["::ffff:", "64:ff9b::"];
/** Global unicast: the only part of IPv6 that is routed publicly. */
const GLOBAL_V6 = ["2000::", 3] as const;
/** Parts of global unicast that are not public hosts, or tunnels whose end can be anywhere. */
const INSIDE_V6: readonly (readonly [net: string, bits: number])[] = [
  ["2001::", 23], // protocol assignments: Teredo, ORCHID, benchmarks, RFC 2928
  ["2001:db8::", 32], // documentation, RFC 3849
  ["2002::", 16], // 6to4, RFC 3056: retired, and its IPv4 part may be private
  ["3fff::", 20], // documentation, RFC 9637
];

const inside = new BlockList();
const outside = new BlockList();
for (const [net, bits] of INSIDE_V4) {
  inside.addSubnet(net, bits, "ipv4");
  for (const prefix of EMBEDS_V4) inside.addSubnet(`${prefix}${net}`, 96 + bits, "ipv6");
}
for (const [net, bits] of INSIDE_V6) inside.addSubnet(net, bits, "ipv6");
for (const prefix of EMBEDS_V4) outside.addSubnet(`${prefix}0.0.0.0`, 96, "ipv6");
outside.addSubnet(...GLOBAL_V6, "ipv6");

/** True for an address (as `net` writes them) that a stranger's URL may lead to. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !inside.check(address, "ipv4");
    case 6:
      return !address.includes("%") && outside.check(address, "ipv6") && !inside.check(address, "ipv6");
    default:
      return false;
  }
}
