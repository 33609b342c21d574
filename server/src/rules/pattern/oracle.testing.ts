/**
 * The language once more, as literally and slowly as its description reads: flatten the event, choose one branch of every
 * `$or`, choose one leaf for every path in every possible way. For comparing with; small inputs only.
 */
export function oracle(pattern: unknown, event: unknown): boolean {
  const leaves = flatten(event);
  return plainPatterns(pattern, "").some((fields) => choose(fields, leaves, new Map()));
}

type OracleLeaf = { readonly path: string; readonly value: unknown; readonly places: ReadonlyMap<number, number> };
type OracleField = { readonly path: string; readonly list: readonly unknown[] };

function flatten(event: unknown): readonly OracleLeaf[] {
  const leaves: OracleLeaf[] = [];
  let arrays = 0;
  const walk = (value: unknown, path: string | null, places: ReadonlyMap<number, number>): void => {
    if (Array.isArray(value)) {
      const array = arrays++;
      value.forEach((item: unknown, index) =>
        walk(item, path, isLeaf(item) ? places : new Map([...places, [array, index]])),
      );
    } else if (!isLeaf(value)) {
      for (const [name, inner] of Object.entries(value as object))
        walk(inner, path === null ? name : `${path}.${name}`, places);
    } else leaves.push({ path: path ?? "", value, places });
  };
  walk(event, null, new Map());
  return leaves;
}

function isLeaf(value: unknown): boolean {
  return value === null || typeof value !== "object";
}

/** Every way to choose a branch of every `$or`. */
function plainPatterns(pattern: unknown, prefix: string): readonly (readonly OracleField[])[] {
  let ways: readonly (readonly OracleField[])[] = [[]];
  for (const [name, node] of Object.entries(pattern as object)) {
    let these: readonly (readonly OracleField[])[];
    if (name === "$or" && Array.isArray(node)) these = node.flatMap((branch) => plainPatterns(branch, prefix));
    else if (Array.isArray(node)) these = [[{ path: prefix + name, list: node }]];
    else these = plainPatterns(node, `${prefix}${name}.`);
    ways = ways.flatMap((before) => these.map((more) => [...before, ...more]));
  }
  return ways;
}

function choose(
  fields: readonly OracleField[],
  leaves: readonly OracleLeaf[],
  fixed: ReadonlyMap<number, number>,
): boolean {
  const [field, ...others] = fields;
  if (field === undefined) return true;
  const there = leaves.filter(({ path }) => path === field.path);
  if (there.length === 0) {
    return (
      field.list.some((condition) => operatorOf(condition)?.[0] === "exists" && operatorOf(condition)?.[1] === false) &&
      choose(others, leaves, fixed)
    );
  }
  return there.some(
    ({ value, places }) =>
      field.list.some((condition) => fulfils(condition, value)) &&
      [...places].every(([array, index]) => (fixed.get(array) ?? index) === index) &&
      choose(others, leaves, new Map([...fixed, ...places])),
  );
}

function operatorOf(condition: unknown): readonly [string, unknown] | undefined {
  return isLeaf(condition) ? undefined : Object.entries(condition as object)[0];
}

function fulfils(condition: unknown, value: unknown): boolean {
  const operator = operatorOf(condition);
  if (operator === undefined) return condition === value;
  const [name, argument] = operator;
  if (name === "exists") return argument === true;
  if (name === "numeric") return typeof value === "number" && inRange(argument as readonly unknown[], value);
  if (name === "anything-but") return !excluded(argument).some((one) => fulfils(one, value));
  if (typeof value !== "string") return false;
  if (name === "cidr") return inBlock(String(argument), value);
  if (name === "wildcard") return regularOf(String(argument)).test(value);
  if (name === "equals-ignore-case") return value.toUpperCase() === String(argument).toUpperCase();
  const folds = !isLeaf(argument);
  const [part, whole] = folds
    ? [String(operatorOf(argument)?.[1]).toUpperCase(), value.toUpperCase()]
    : [String(argument), value];
  return name === "prefix" ? whole.startsWith(part) : whole.endsWith(part);
}

function excluded(argument: unknown): readonly unknown[] {
  if (Array.isArray(argument)) return argument;
  const operator = operatorOf(argument);
  if (operator === undefined) return [argument];
  const [name, list] = operator;
  return (Array.isArray(list) ? list : [list]).map((one: unknown) => ({ [name]: one }));
}

function inRange(range: readonly unknown[], value: number): boolean {
  for (let at = 0; at < range.length; at += 2) {
    const bound = Number(range[at + 1]);
    const holds = {
      "=": value === bound,
      "<": value < bound,
      "<=": value <= bound,
      ">": value > bound,
      ">=": value >= bound,
    };
    if (!holds[String(range[at]) as keyof typeof holds]) return false;
  }
  return true;
}

/** IPv4 only. */
function inBlock(block: string, value: string): boolean {
  const [base = "", mask] = block.split("/");
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(value)) return false;
  const number = (address: string) => address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - Number(mask));
  return Math.floor(number(base) / size) === Math.floor(number(value) / size);
}

/** No escapes. */
function regularOf(wildcard: string): RegExp {
  return new RegExp(
    `^${wildcard
      .split("*")
      .map((part) => RegExp.escape(part))
      .join("[^]*")}$`,
    "u",
  );
}
