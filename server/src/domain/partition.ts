/** Which of `of` partitions a key belongs to: FNV-1a, the same on every node and in every driver. */
export function partitionOf(key: string, of: number): number {
  return of === 1 ? 0 : keyHash(key) % of;
}

/** 32 bit FNV-1a over UTF-16 code units; stored beside each event so that drivers can filter by it. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
