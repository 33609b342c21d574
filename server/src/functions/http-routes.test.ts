import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpRoutes, pathFault, routeShape, segmentsOf } from "#functions/http-routes.ts";

function routes(...places: readonly string[]): HttpRoutes<string> {
  const table = new HttpRoutes<string>();
  for (const place of places) {
    const [method = "", path = ""] = place.split(" ");
    table.add({ method, path }, place);
  }
  return table;
}

const find = (table: HttpRoutes<string>, method: string, path: string) => table.find(method, segmentsOf(path));

test("a segment that is written out goes before one that is named, whatever was declared first", () => {
  const table = routes("GET /api/:any", "GET /api/me", "GET /api/:any/orders", "GET /api/me/:what");
  const named = (path: string) => {
    const found = find(table, "GET", path);
    return found.kind === "found" ? found.route : found.kind;
  };
  assert.equal(named("/api/me"), "GET /api/me");
  assert.equal(named("/api/you"), "GET /api/:any");
  assert.equal(named("/api/me/orders"), "GET /api/me/:what");
  assert.equal(named("/api/you/orders"), "GET /api/:any/orders");
  assert.equal(named("/api/you/names"), "none");
  assert.equal(named("/api/"), "none");
  assert.equal(named("/api/me/"), "GET /api/me");
});

test("a method that nobody declared hears which there are, and a path's methods may be of different patterns", () => {
  const table = routes("GET /api/:id", "PUT /api/me");
  assert.deepEqual(find(table, "POST", "/api/me"), { kind: "method", methods: ["PUT", "GET"] });
  assert.deepEqual(find(table, "GET", "/api/me"), { kind: "found", route: "GET /api/:id", params: { id: "me" } });
  assert.deepEqual(find(table, "HEAD", "/api/x"), { kind: "found", route: "GET /api/:id", params: { id: "x" } });
});

test("what is taken away is gone, and its neighbours stay", () => {
  const table = routes("GET /api/a");
  const remove = table.add({ method: "GET", path: "/api/b" }, "b");
  assert.equal(find(table, "GET", "/api/b").kind, "found");
  remove();
  assert.equal(find(table, "GET", "/api/b").kind, "none");
  assert.equal(find(table, "GET", "/api/a").kind, "found");
});

test("parameters are an object's own, also those with names that objects know", () => {
  const found = find(routes("GET /api/:__proto__/:constructor"), "GET", "/api/x/y");
  assert.equal(found.kind, "found");
  if (found.kind === "found") assert.equal(JSON.stringify(found.params), '{"__proto__":"x","constructor":"y"}');
});

test("a path that cannot be is said in a sentence", () => {
  assert.equal(pathFault("/api/customers/:id"), null);
  assert.equal(pathFault("/api/customers/"), null);
  assert.equal(pathFault("/.well-known/acme"), null);
  assert.match(pathFault("/send") ?? "", /"\/send" is Tidings' own.*\/api\/send/);
  assert.match(pathFault("/lists/:x/y") ?? "", /is Tidings' own/);
  assert.match(pathFault("/aws/anything") ?? "", /is Tidings' own/);
  assert.match(pathFault("/:x") ?? "", /begins with a parameter/);
  assert.match(pathFault("/") ?? "", /is Tidings' own/);
  assert.match(pathFault("api") ?? "", /must begin with "\/"/);
  assert.match(pathFault("/api//x") ?? "", /the segment ""/);
  assert.match(pathFault("/api/a b") ?? "", /the segment "a b"/);
  assert.match(pathFault("/api/*") ?? "", /the segment "\*"/);
  assert.match(pathFault("/api/:") ?? "", /the segment ":"/);
  assert.match(pathFault("/api/%2e") ?? "", /the segment "%2e"/);
  assert.match(pathFault("/api/:a/:a") ?? "", /names a parameter twice/);
  assert.match(pathFault(`/${"a/".repeat(40)}`) ?? "", /at most 16 segments/);
});

test("two paths that differ only in what they call their parameters are one", () => {
  assert.equal(routeShape({ method: "GET", path: "/api/:a/x" }), routeShape({ method: "GET", path: "/api/:b/x/" }));
  assert.notEqual(routeShape({ method: "GET", path: "/api/:a" }), routeShape({ method: "GET", path: "/api/a" }));
});
