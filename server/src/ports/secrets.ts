/** Hashes and seals, handed in because the rooms that need them do not reach the machine. */
export interface Secrets {
  /** SHA-256 of UTF-8 text, as 43 characters of base64url. */
  digest(text: string): string;
  /**
   * A secret that this house always makes of the same text, and nobody else can: 256 bits in base64. Different texts make
   * secrets that tell nothing of each other.
   */
  derive(text: string): string;
  /** An unforgeable, URL-safe token that carries `text` (readable by anyone who has it, made only by us). */
  seal(text: string): string;
  /** The sealed text, or null when the token is not ours; compared in constant time. */
  unseal(token: string): string | null;
}
