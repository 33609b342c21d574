/** What `cidr` holds, or why it is none. */
export type Block = { readonly ok: true; readonly bits: string } | { readonly ok: false; readonly reason: string };

/**
 * The bits of an IP address behind a sign for its family, the same for all spellings of one address; null when the text
 * is not completely one. An address lies in a block exactly when its bits begin with the block's.
 */
export function addressBits(text: string): string | null {
  if (!LIKELY.test(text)) return null;
  if (!text.includes(":")) {
    const groups = groupsOfV4(text);
    return groups === null ? null : `4${bitsOf(groups)}`;
  }
  const groups = groupsOfV6(text);
  return groups === null ? null : `6${bitsOf(groups)}`;
}

/** Reads `10.0.0.0/24` or `2001:db8::/32`; the address' bits behind the mask do not count. */
export function readBlock(text: string): Block {
  const parts = text.split("/");
  const [address = "", mask = ""] = parts;
  if (parts.length !== 2) return refuse("Malformed CIDR, one '/' required");
  if (!/^-?\d+$/.test(mask)) return refuse("Malformed CIDR, mask bits must be an integer");
  if (mask.startsWith("-")) return refuse("Malformed CIDR, mask bits must not be negative");
  const bits = addressBits(address);
  if (bits === null) return refuse(`Nonstandard IP address: ${address}`);
  const [family, masksMax] = bits.startsWith("4") ? ["IPv4", 32] : ["IPv6", 128];
  // A whole address is written without a mask.
  if (Number(mask) >= masksMax) return refuse(`${family} mask bits must be < ${masksMax}`);
  return { ok: true, bits: bits.slice(0, 1 + Number(mask)) };
}

function refuse(reason: string): Block {
  return { ok: false, reason };
}

/** Says quickly that most texts are no address; 45 characters are the longest spelling of an IPv6 address. */
const LIKELY = /^(?=.*[.:])[0-9A-Fa-f:.]{2,45}$/;

function groupsOfV4(text: string): readonly number[] | null {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255)) return null;
  const [a, b, c, d] = octets.map(Number);
  return [(a ?? 0) * 256 + (b ?? 0), (c ?? 0) * 256 + (d ?? 0)];
}

/** RFC 4291 §2.2: eight groups, one run of zeros as `::`, the last two perhaps as IPv4. */
function groupsOfV6(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head = "", tail] = halves;
  const before = readGroups(head, tail === undefined);
  const after = tail === undefined ? [] : readGroups(tail, true);
  if (before === null || after === null) return null;
  const missing = 8 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return null;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

function readGroups(text: string, isEnd: boolean): readonly number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else {
      const v4 = isEnd && index === parts.length - 1 ? groupsOfV4(part) : null;
      if (v4 === null) return null;
      groups.push(...v4);
    }
  }
  return groups;
}

function bitsOf(groups: readonly number[]): string {
  return groups.map((group) => group.toString(2).padStart(16, "0")).join("");
}
