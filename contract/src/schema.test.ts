import assert from "node:assert/strict";
import { test } from "node:test";
import { Type as TypeBox } from "typebox";
import { Type } from "./schema.ts";

/** The same schema, written with one builder or the other. */
function sample(T: typeof Type | typeof TypeBox): unknown {
  // Both are the same type; TypeBox has more.
  const {
    Array: List,
    Boolean: Bool,
    Integer,
    Literal,
    Null,
    Number: Num,
    Object: Obj,
    Optional,
    Record: Map,
    String: Text,
    Union,
    Unknown,
    Unsafe,
  } = T as typeof Type;
  const some = { description: "d" };
  return [
    Obj({ a: Text(), b: Optional(Text({ minLength: 1 })), c: Optional(Union([Integer(some), Null()])) }, some),
    Obj({}),
    Obj({ a: Optional(Bool()) }),
    List(Num({ minimum: 0 }), { maxItems: 3 }),
    Union([Literal("x"), Literal(3), Literal(true)], some),
    Map(Text(), Unknown(), some),
    Unsafe<string>({ type: "string", format: "uri" }),
    Unknown(some),
    Null(some),
  ];
}

test("a schema built here is the one that TypeBox builds", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(sample(Type))), JSON.parse(JSON.stringify(sample(TypeBox))));
});
