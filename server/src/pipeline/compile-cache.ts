import type { Json } from "#domain/json.ts";
import { type CompileResult, compileContent } from "#templates/compile.ts";

/** Longest content that is kept compiled, and how many: most services say a few dozen things, each many times. */
const KEPT_CHARS_MAX = 16 * 1024;
const KEPT_MAX = 500;

const kept = new Map<string, CompileResult>();

/** Compiles content, or finds it compiled: inline content is mostly the same words again with other data. */
export function compiledContent(content: Json): CompileResult {
  const text = JSON.stringify(content);
  const known = kept.get(text);
  if (known !== undefined) return known;
  const result = compileContent(content);
  if (!result.ok || text.length > KEPT_CHARS_MAX) return result;
  if (kept.size >= KEPT_MAX)
    for (const oldest of kept.keys()) {
      kept.delete(oldest);
      break;
    }
  kept.set(text, result);
  return result;
}
