import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";

/** Null when the value fits, otherwise a sentence that names the field and what it should be. */
export type Check = (value: unknown) => string | null;

/** Compiles a schema. What it does not declare is allowed and kept. */
export function compileCheck(schema: TSchema): Check {
  const validator = Compile(schema);
  return (value) => (validator.Check(value) ? null : sentence(validator.Errors(value)));
}

type Flaw = {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: Readonly<Record<string, unknown>>;
};

/** Of all that did not fit, what lies deepest: in a choice between forms that is the form that was meant. */
function sentence(found: readonly object[]): string {
  // TypeBox types each keyword's error apart; all have these four fields (AJV's form).
  const flaws = (found as readonly Flaw[]).filter(({ keyword }) => keyword !== "anyOf");
  const depth = Math.max(0, ...flaws.map(({ instancePath }) => instancePath.split("/").length));
  const deepest = flaws.filter(({ instancePath }) => instancePath.split("/").length === depth);
  const [first] = deepest;
  if (first === undefined) return "The body does not have the form that is documented for this path.";
  const same = deepest.filter(({ instancePath }) => instancePath === first.instancePath);
  const wants = [...new Set(same.map(says))].filter((want, _, all) => want !== "must be null" || all.length === 1);
  const beings = wants.every((want) => want.startsWith("must be "));
  const rest = wants.slice(1).map((want) => (beings ? want.slice("must be ".length) : want));
  return `${fieldName(first.instancePath)} ${[wants[0], ...rest].join(" or ")}.`;
}

function says({ keyword, message, params }: Flaw): string {
  if (keyword === "required" && Array.isArray(params["requiredProperties"])) {
    return `must have ${params["requiredProperties"].map((name) => `"${name}"`).join(" and ")}`;
  }
  if (keyword === "const") return `must be ${JSON.stringify(params["allowedValue"])}`;
  if (keyword === "enum" && Array.isArray(params["allowedValues"])) {
    return `must be one of ${params["allowedValues"].map((value) => JSON.stringify(value)).join(", ")}`;
  }
  return message
    .replace(/^must be (object|array)$/, "must be an $1")
    .replace(/^must be (string|number|boolean)$/, "must be a $1");
}

/** `/message/to/0/email` → `message.to[0].email`. Names from outside are shortened. */
export function fieldName(pointer: string): string {
  if (pointer === "") return "The body";
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~").slice(0, 80))
    .map((part, at) => (/^\d+$/.test(part) ? `[${part}]` : at === 0 ? part : `.${part}`))
    .join("");
}
