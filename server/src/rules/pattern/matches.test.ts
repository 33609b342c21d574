import { test } from "node:test";
import { check } from "./matching.testing.ts";

/** Cases for one condition list on the field `v`: values that fulfil it, and values that do not. */
function onValue(conditions: readonly unknown[], yes: readonly unknown[], no: readonly unknown[]) {
  return { pattern: { v: conditions }, yes: yes.map((v) => ({ v })), no: no.map((v) => ({ v })) };
}

test("every field must hold, one condition of its list is enough, and other fields do not matter", () => {
  check([
    {
      pattern: { a: [1, 2], b: ["x"] },
      yes: [{ b: "x", z: 0, a: 2 }],
      no: [{ a: 1 }, { a: 3, b: "x" }, { a: 1, b: "y" }, {}],
    },
    {
      pattern: { a: { b: ["x"] } },
      yes: [{ a: { b: "x", c: 1 } }],
      no: [{ b: "x" }, { a: "x" }, { A: { b: "x" } }, { a: { B: "x" } }],
    },
    { pattern: { body: { ref: ["9"] } }, no: [{ body: '{"ref":"9"}' }] },
    { pattern: '{"z":[{"prefix":"n"}],"z":["south"]}', yes: [{ z: "south" }], no: [{ z: "north" }] },
  ]);
});

test("arrays add nothing to a path: one element is enough, however deep, and empty ones hold nothing", () => {
  check([
    {
      pattern: { a: ["hot"] },
      yes: [{ a: ["cold", "hot"] }, { a: [["x"], [["hot"]]] }],
      no: [{ a: [] }, { a: [[], {}] }, { a: ["cold"] }],
    },
    { pattern: { a: { "0": ["hot"] } }, yes: [{ a: { "0": "hot" } }], no: [{ a: ["hot"] }] },
    { pattern: { a: { length: [1] } }, no: [{ a: ["hot"] }, { a: "h" }] },
    { pattern: { z: ["w"] }, yes: [{ z: [{ q: 1 }, "w"] }] },
    { pattern: { z: { q: [1] } }, yes: [{ z: [{ q: 1 }, "w"] }] },
    onValue([{ numeric: [">", 1, "<", 2] }], [[0, 1.5], 1.5], [[0, 3]]),
  ]);
});

test("names that the language inherits exist only if the event has them", () => {
  for (const name of ["valueOf", "constructor", "__proto__", "hasOwnProperty", "toString", "length", "0", ""]) {
    const has = `{${JSON.stringify(name)}:1}`;
    check([
      { pattern: `{${JSON.stringify(name)}:[{"exists":true}]}`, yes: [has], no: ["{}", '{"x":[1]}'] },
      { pattern: `{"x":{${JSON.stringify(name)}:[1]}}`, yes: [`{"x":${has}}`], no: ["{}", '{"x":{}}', '{"x":"s"}'] },
    ]);
  }
});

test("a dot in a name is the same as nesting, in the pattern and in the event", () => {
  check([
    { pattern: { net: { up: ["y"] } }, yes: [{ "net.up": "y" }], no: [{ "net.up": { up: "y" } }, { net: "y" }] },
    {
      pattern: { "net.up": ["y"] },
      yes: [{ net: { up: "y" } }, { net: [{ up: "n" }, { up: "y" }] }, { "net.up": ["y"] }],
    },
    {
      pattern: { "a.b": { "c.d": [1] } },
      yes: [{ a: { "b.c": { d: 1 } } }, { "a.b.c.d": 1 }],
      no: [{ a: { b: { c: 1 } } }],
    },
    { pattern: { ".": [1] }, yes: [{ "": { "": 1 } }, { ".": 1 }], no: [{ "": 1 }] },
  ]);
});

test("fields of one match come from the same element of every array that they pass through", () => {
  const crew = {
    crew: [
      { name: "Kim", rank: "pilot" },
      { name: "Lee", rank: "cook" },
    ],
  };
  check([
    { pattern: { crew: { name: ["Lee"], rank: ["cook"] } }, yes: [crew] },
    { pattern: { crew: { name: ["Lee"], rank: ["pilot"] } }, no: [crew] },
    { pattern: { crew: { rank: ["pilot"] } }, yes: [crew] },
    { pattern: { crew: { name: ["Lee", "Kim"], rank: [{ "anything-but": "pilot" }] } }, yes: [crew] },
    {
      pattern: { crew: { name: [{ exists: true }], age: [{ exists: true }] } },
      yes: [{ crew: [{ name: 1 }, { name: 1, age: 2 }] }],
      no: [{ crew: [{ name: 1 }, { age: 2 }] }],
    },
    // Scalars directly in arrays are not bound.
    { pattern: { u: ["1"], v: ["2"] }, yes: [{ u: ["0", "1"], v: ["2", "3"] }] },
    {
      pattern: { a: { u: ["1"], v: ["2"] } },
      yes: [{ a: [{ u: ["0", "1"], v: ["2"] }] }],
      no: [{ a: [{ u: ["1"] }, { v: ["2"] }] }],
    },
    // Different arrays are independent, unless an outer one holds both.
    {
      pattern: { ins: { x: [1] }, outs: { y: [2] } },
      yes: [{ ins: [{ x: 0 }, { x: 1 }], outs: [{ y: 2 }, { y: 0 }] }],
    },
    {
      pattern: { o: { ins: { x: [1] }, outs: { y: [2] } } },
      yes: [{ o: [{}, { ins: [{ x: 0 }, { x: 1 }], outs: [{ y: 2 }] }] }],
      no: [{ o: [{ ins: [{ x: 1 }] }, { outs: [{ y: 2 }] }] }],
    },
    {
      pattern: { shops: { city: ["Bergen"], staff: { role: ["clerk"] } } },
      no: [
        {
          shops: [
            { city: "Bergen", staff: [{ role: "chef" }] },
            { city: "Oslo", staff: [{ role: "clerk" }] },
          ],
        },
      ],
      yes: [{ shops: [{ city: "Oslo" }, { city: "Bergen", staff: [{ role: "chef" }, { role: "clerk" }] }] }],
    },
    {
      pattern: { grid: { x: [1], y: [4] } },
      no: [
        {
          grid: [
            [
              { x: 1, y: 2 },
              { x: 3, y: 4 },
            ],
          ],
        },
      ],
      yes: [{ grid: [[], [{ x: 1, y: 4 }]] }],
    },
    // Outside combines with inside; a later element may do where earlier ones did not.
    {
      pattern: { id: [7], l: { a: [1], b: [2], c: [3] } },
      yes: [
        {
          id: 7,
          l: [
            { a: 1, b: 2 },
            { a: 1, c: 3 },
            { a: 1, b: 2, c: 3 },
          ],
        },
      ],
    },
    // Two arrays at one path, which only dots can bring about.
    {
      pattern: { "a.b": { x: [1], y: [2] } },
      yes: [{ "a.b": [{ x: 1 }], a: { b: [{ y: 2 }] } }],
      no: [{ "a.b": [{ x: 1 }, { y: 2 }], a: { b: [{ z: 1 }] } }],
    },
  ]);
});

test("plain values are equal in type and characters; numbers are equal in value", () => {
  check([
    onValue(["text"], ["text"], ["Text", " text", "text ", "te*t", null]),
    onValue(["é"], ["\u00e9"], ["e\u0301"]),
    onValue([""], [""], [null, " ", 0, [], {}]),
    onValue([null], [null], ["", "null", 0, false, []]),
    onValue([true], [true], ["true", 1, false]),
    onValue([false], [false], ["false", 0, null]),
    onValue([75], [75], ["75", 7.5, [[]]]),
    {
      pattern: '{"v":[75]}',
      yes: ['{"v":75.0}', '{"v":7.5e1}', '{"v":7.5E+1}', '{"v":750e-1}', '{"v":75.00000000000000000000}'],
    },
    { pattern: '{"v":[0.250]}', yes: ['{"v":0.25}', '{"v":25e-2}'] },
    { pattern: '{"v":[-0]}', yes: ['{"v":0}', '{"v":0.0}', '{"v":-0.0e5}'] },
    { pattern: '{"v":[0.1]}', yes: ['{"v":1e-1}'], no: ['{"v":0.10000000000000001}'] },
  ]);
});

test("a number that a double cannot hold equals only the same digits", () => {
  check([
    {
      pattern: '{"v":[9876543210123456789]}',
      yes: ['{"v":9876543210123456789}'],
      no: ['{"v":9876543210123456788}', '{"v":9876543210123456789.0}', '{"v":"9876543210123456789"}'],
    },
    { pattern: '{"v":[18014398509481985]}', yes: ['{"v":18014398509481985}'], no: ['{"v":18014398509481984}'] },
    {
      pattern: '{"v":[18014398509481984]}',
      yes: ['{"v":18014398509481984}', '{"v":1.8014398509481984e16}'],
      no: ['{"v":18014398509481985}'],
    },
    { pattern: '{"v":[1e400]}', yes: ['{"v":1e400}'], no: ['{"v":1e401}', '{"v":1E400}'] },
    {
      pattern: '{"v":[{"numeric":[">",0]}]}',
      no: ['{"v":18014398509481985}', '{"v":1e400}'],
      yes: ['{"v":18014398509481984}', '{"v":1e300}'],
    },
    {
      pattern: '{"v":[{"anything-but":[18014398509481985]}]}',
      yes: ['{"v":18014398509481984}', '{"v":"x"}'],
      no: ['{"v":18014398509481985}'],
    },
    { pattern: '{"v":[{"exists":true}]}', yes: ['{"v":18014398509481985}'] },
  ]);
});

test("an address equals its other spellings", () => {
  check([
    onValue(
      ["2001:db8::5"],
      ["2001:db8::5", "2001:0DB8:0:0:0:0:0:5", "2001:db8:0::0.0.0.5"],
      ["2001:db8::6", "2001:db8::5/64"],
    ),
    onValue(["10.0.0.7"], ["10.0.0.7", "010.000.0.7"], ["10.0.0.8", "10.0.0.7:80"]),
  ]);
});

test("prefix and suffix compare characters of strings", () => {
  check([
    onValue([{ prefix: "45" }], ["45", "456"], [456, "145", null, true, "4"]),
    onValue([{ prefix: "" }], ["", "x"], [0, null, false, []]),
    onValue([{ suffix: ".png" }], [".png", "a.png"], [".PNG", "png", 1]),
    onValue([{ suffix: "" }], ["", "x"], [0, null]),
    onValue([{ prefix: "a.c" }], ["a.cd"], ["abcd"]),
    onValue([{ prefix: { "equals-ignore-case": "AbÅ" } }], ["aBå!", "ABÅ"], ["a", "xabå"]),
    onValue([{ suffix: { "equals-ignore-case": ".PNG" } }], ["x.pNg"], ["x.jpg", 5]),
  ]);
});

test("equals-ignore-case compares whole strings, outside ASCII too", () => {
  check([
    onValue([{ "equals-ignore-case": "bob" }], ["BOB", "bob", "bOb"], ["bo", "bobb", null, true]),
    onValue([{ "equals-ignore-case": "ÅЖδ-1" }], ["åжΔ-1", "ÅЖδ-1"], ["AЖδ-1"]),
    onValue([{ "equals-ignore-case": "" }], [""], [" ", null]),
    onValue([{ "equals-ignore-case": "true" }], ["TRUE"], [true]),
  ]);
});

test("anything-but holds for whatever is there and not excluded", () => {
  check([
    onValue(
      [{ "anything-but": "hidden" }],
      ["shown", "Hidden", "", null, true, 7, ["hidden", "x"]],
      ["hidden", [], {}, ["hidden", "hidden"]],
    ),
    { pattern: { v: [{ "anything-but": "x" }] }, no: [{}, { v: { x: 1 } }] },
    onValue([{ "anything-but": ["a", "b"] }], ["c"], ["a", "b"]),
    onValue([{ "anything-but": 5 }], ["5", 6, null], [5]),
    { pattern: '{"v":[{"anything-but":[1,2.0]}]}', no: ['{"v":1.0}', '{"v":2}'], yes: ['{"v":3}'] },
    onValue([{ "anything-but": { prefix: "8" } }], [88, "98", null], ["88"]),
    onValue([{ "anything-but": { prefix: ["a", "b"] } }], ["c"], ["ax", "bx"]),
    onValue([{ "anything-but": { suffix: ["a", "b"] } }], ["xc", 1], ["xa", "xb"]),
    onValue([{ "anything-but": { "equals-ignore-case": ["Ab", ""] } }], ["abc"], ["aB", ""]),
    onValue([{ "anything-but": { wildcard: "*" } }], [1, null, false], ["", "x"]),
    onValue([{ "anything-but": { wildcard: ["*/c/*", "*.bak"] } }], ["/a/b"], ["/c/", "x.bak"]),
    onValue([{ "anything-but": { wildcard: "abc" } }], ["abcd"], ["abc"]),
    { pattern: { v: [{ "anything-but": "x" }, { exists: false }] }, yes: [{}, { v: "y" }], no: [{ v: "x" }] },
    onValue([{ "anything-but": "a" }, { "anything-but": "b" }], ["a", "b", null], [[], {}]),
    onValue([{ "anything-but": "10.0.0.1" }], ["010.0.0.1"], ["10.0.0.1"]),
  ]);
});

test("numeric compares numbers only, with exact bounds", () => {
  check([
    onValue([{ numeric: ["=", 3] }], [3], ["3", 3.1, null, true]),
    onValue([{ numeric: ["<", 3] }], [2.9999999999999996, -1e300], [3, "2"]),
    onValue([{ numeric: ["<=", 3] }], [3, 2], [3.0000000000000004]),
    onValue([{ numeric: [">", 9] }], [10, 100], [9, 8.9]),
    onValue([{ numeric: [">=", 9] }], [9, 1e308], [8.999999999999998]),
    onValue([{ numeric: [">", 0, "<=", 1] }], [5e-324, 1], [0, 1.0000000000000002]),
    onValue([{ numeric: ["<", 0] }], [-5e-324], [0]),
    { pattern: '{"v":[{"numeric":["<",0]}]}', no: ['{"v":-0}', '{"v":-0.0}'] },
    onValue([{ numeric: ["<", -5] }, { numeric: [">", 5] }], [-6, 6], [-5, 0, 5]),
    onValue([{ numeric: [">", 1.7976931348623157e308] }], [], [1.7976931348623157e308]),
  ]);
});

test("exists looks at leaves only", () => {
  const yes = { f: [{ exists: true }] };
  const no = { f: [{ exists: false }] };
  const there = [{ f: null }, { f: "" }, { f: false }, { f: 0 }, { f: [{ g: 1 }, 2] }];
  const missing = [{}, { g: 1 }, { f: [] }, { f: [[], [[]]] }, { f: { g: 1 } }, { f: {} }, { f: [{ g: 1 }] }];
  check([
    { pattern: yes, yes: there, no: missing },
    { pattern: no, yes: missing, no: there },
    {
      pattern: { f: { g: [{ exists: false }] } },
      yes: [{}, { f: 5 }, { f: [{ h: 1 }] }],
      no: [{ f: [{ g: 1 }, { h: 1 }] }],
    },
    { pattern: { f: ["x", { exists: false }] }, yes: [{}, { f: "x" }], no: [{ f: "y" }] },
    {
      pattern: { a: { k: [1], gone: [{ exists: false }] } },
      yes: [{ a: [{ k: 1 }] }],
      no: [{ a: [{ k: 1, gone: 1 }] }],
    },
  ]);
});

test("wildcards match whole strings, with stars for anything and backslashes for themselves", () => {
  check([
    onValue(
      [{ wildcard: "orders/*/created" }],
      ["orders/eu/west/created", "orders//created", "orders/\n/created"],
      ["orders/created", "Orders/x/created", "orders/x/created!"],
    ),
    onValue([{ wildcard: "*" }], ["", "x"], [1, null]),
    onValue([{ wildcard: "" }], [""], ["x", null]),
    onValue([{ wildcard: "a?.[b]" }], ["a?.[b]"], ["ab.b"]),
    onValue([{ wildcard: "a\\*b*" }], ["a*b", "a*bc"], ["axb"]),
    onValue([{ wildcard: "\\**" }], ["*", "*x"], ["x"]),
    onValue([{ wildcard: "a\\\\*" }], ["a\\", "a\\x"], ["a*"]),
    onValue([{ wildcard: "b*bc" }], ["bbbbc", "bbc"], ["bc", "bbcd"]),
    onValue([{ wildcard: "xy*yx" }], ["xyyx", "xyzyx"], ["xyx"]),
    onValue([{ wildcard: "*ab*ab*" }], ["abab", "xabxabx"], ["aba", "ab"]),
    onValue([{ wildcard: "*a" }], ["a", "ba"], ["ab", ""]),
    onValue([{ wildcard: "*:*:*:*:*:event-bus/*" }], ["a:b:c:d:e:event-bus/f"], ["a:b:c:d:event-bus/f"]),
  ]);
});

test("cidr holds for whole addresses of its family inside the block", () => {
  check([
    onValue(
      [{ cidr: "10.0.0.0/24" }],
      ["10.0.0.0", "10.0.0.255"],
      ["10.0.1.0", "10.0.0.1:80", "10.0.0.256", "10.0.0", "host", 10, "::ffff:10.0.0.1", "10.0.0.1 "],
    ),
    onValue([{ cidr: "192.168.7.40/24" }], ["192.168.7.1"], ["192.168.8.1"]),
    onValue([{ cidr: "172.20.0.0/14" }], ["172.23.9.9"], ["172.24.0.0"]),
    onValue([{ cidr: "0.0.0.0/0" }], ["8.8.8.8"], ["::1", "x"]),
    onValue(
      [{ cidr: "2001:db8::/32" }],
      ["2001:DB8:0:0::1", "2001:db8:ffff::"],
      ["2001:db9::1", "10.0.0.1", ":::", "1::2::3", "2001:db8:1:2:3:4:5:6:7"],
    ),
    onValue([{ cidr: "fe80::/10" }], ["febf::1"], ["fec0::1"]),
  ]);
});

test("exactly is the long form of a string", () => {
  check([onValue([{ exactly: "a" }], ["a"], ["A", "ab"])]);
});

test("$or stands for one of its branches, beside other fields, at any depth", () => {
  check([
    {
      pattern: { source: ["shop"], $or: [{ total: [{ numeric: [">", 100] }] }, { vip: [true], country: ["NO"] }] },
      yes: [
        { source: "shop", total: 101 },
        { source: "shop", vip: true, country: "NO" },
      ],
      no: [{ total: 101 }, { source: "shop", vip: true }, { source: "shop", total: 1 }, { source: "shop", $or: 1 }],
    },
    {
      pattern: { detail: { $or: [{ a: [1] }, { b: [2] }] }, $or: [{ source: ["x"] }, { source: ["y"] }] },
      yes: [
        { detail: { a: 1 }, source: "y" },
        { detail: { b: 2 }, source: "x" },
      ],
      no: [{ detail: { a: 1 } }, { a: 1, source: "x" }, { source: "x" }],
    },
    {
      pattern: { $or: [{ a: [1] }, { $or: [{ b: { c: [1] } }, { a: [2] }] }] },
      yes: [{ a: 1 }, { b: { c: 1 } }, { a: 2 }],
      no: [{ a: 3 }],
    },
    // Consistency holds inside a branch and between a branch and what is beside it.
    {
      pattern: { l: { $or: [{ a: [1], b: [1] }, { c: [1] }] } },
      yes: [{ l: [{ a: 1, b: 1 }] }, { l: [{ a: 1 }, { c: 1 }] }],
      no: [{ l: [{ a: 1 }, { b: 1 }] }],
    },
    {
      pattern: { l: { s: [1], $or: [{ a: [1] }, { c: [1] }] } },
      yes: [{ l: [{ a: 1 }, { s: 1, c: 1 }] }],
      no: [{ l: [{ s: 1 }, { a: 1 }, { c: 1 }] }],
    },
    { pattern: { $or: [{ a: [{ exists: false }] }, { a: [1] }] }, yes: [{}, { a: 1 }], no: [{ a: 2 }] },
    // Not a list, so a field of that name.
    { pattern: { $or: { a: [1] } }, yes: [{ $or: { a: 1 } }], no: [{ a: 1 }] },
  ]);
});
