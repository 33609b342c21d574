import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FORM_FIELDS_MAX, FormField, readForm } from "#doors/aws/form.ts";
import {
  formReader,
  jsonReader,
  list,
  map,
  required,
  structure,
  text,
  truth,
  whole,
  blob,
  moment,
} from "#doors/aws/shape.ts";
import { xmlWriter } from "#doors/aws/xml.ts";

const SHAPE = structure({
  Name: required(text),
  Count: whole,
  Loud: truth,
  Bytes: blob,
  Names: list("Alias", text),
  Attributes: map("Attribute", "Name", "Value", text),
  Entries: list("Entry", structure({ Id: required(text), Tags: map("Tag", "Key", "Value", text) })),
});
const readFields = formReader(SHAPE);
const readBody = jsonReader(SHAPE);

function fieldsOf(encoded: string): FormField {
  const fields = new FormField();
  assert.equal(readForm(encoded, fields), null);
  return fields;
}

describe("a form", () => {
  test("says the same as JSON", () => {
    const form = readFields(
      fieldsOf(
        "Name=a+b%20c&Count=7&Loud=true&Alias.1=z&Bytes=AP8%3D&Attribute.1.Name=x&Attribute.1.Value=1&Entry.1.Id=e&Entry.1.Tag.1.Key=k&Entry.1.Tag.1.Value=",
      ),
    );
    const json = readBody({
      Name: "a b c",
      Count: 7,
      Loud: true,
      Bytes: "AP8=",
      Names: ["z"],
      Attributes: { x: "1" },
      Entries: [{ Id: "e", Tags: { k: "" } }],
    });
    assert.ok("value" in form && "value" in json);
    assert.deepEqual(form.value, json.value);
  });

  test("is numbered by value, not by place", () => {
    const form = readFields(fieldsOf("Name=x&Entry.10.Id=third&Entry.2.Id=second&Entry.1.Id=first"));
    assert.ok("value" in form);
    assert.deepEqual(
      form.value.Entries?.map(({ Id }) => Id),
      ["first", "second", "third"],
    );
  });

  test("has a list without items when only its name was given", () => {
    const form = readFields(fieldsOf("Name=x&Entry="));
    assert.ok("value" in form);
    assert.deepEqual([form.value.Entries, form.value.Attributes], [[], undefined]);
  });

  test("is told where it is wrong", () => {
    const trouble = (encoded: string): string => {
      const read = readFields(fieldsOf(encoded));
      return "trouble" in read ? `${read.trouble} ${read.at}` : "none";
    };
    assert.equal(trouble("Count=1"), "missing Name");
    assert.equal(trouble("Name=x&Count=many"), "type Count");
    assert.equal(trouble("Name=x&Loud=very"), "type Loud");
    assert.equal(trouble("Name=x&Bytes=%21"), "type Bytes");
    assert.equal(trouble("Name=x&Entry.1.Tag.1.Key=k"), "missing Entry.1.Id");
    assert.equal(trouble("Name=x&Attribute.1.Name=k"), "missing Attribute.1.Value");
    assert.equal(trouble("Name=x&Attribute.1.Value=k"), "missing Attribute.1.Name");
  });

  test("is refused when it is not UTF-8 in percent-encoding, or too much", () => {
    assert.match(readForm("a=%E4", new FormField()) ?? "", /UTF-8/);
    assert.match(readForm("a=100%", new FormField()) ?? "", /percent-encoded/);
    assert.match(readForm("a&".repeat(FORM_FIELDS_MAX + 1), new FormField()) ?? "", /parameters/);
    assert.match(readForm("a.b.c.d.e.f.g.h.i=1", new FormField()) ?? "", /too many parts/);
    assert.equal(readForm("__proto__.constructor=1&&=", new FormField()), null);
  });
});

describe("JSON", () => {
  test("is told where it is wrong", () => {
    const trouble = (value: unknown): string => {
      const read = readBody(value);
      return "trouble" in read ? `${read.trouble} ${read.at}` : "none";
    };
    assert.equal(trouble([]), "type ");
    assert.equal(trouble({}), "missing Name");
    assert.equal(trouble({ Name: null }), "missing Name");
    assert.equal(trouble({ Name: 1 }), "type Name");
    assert.equal(trouble({ Name: "x", Count: "1" }), "type Count");
    assert.equal(trouble({ Name: "x", Count: 1.5 }), "type Count");
    assert.equal(trouble({ Name: "x", Bytes: "AP8" }), "type Bytes");
    assert.equal(trouble({ Name: "x", Attributes: ["a"] }), "type Attributes");
    assert.equal(trouble({ Name: "x", Entries: [{ Id: "e" }, { Tags: {} }] }), "missing Entries.2.Id");
    assert.equal(trouble({ Name: "x", Entries: [{ Id: "e", Tags: { k: 1 } }] }), "type Entries.1.Tags.k");
    assert.equal(trouble({ Name: "x", Loud: null, Unknown: {} }), "none");
  });

  test("tells times in seconds or as RFC 3339", () => {
    const read = jsonReader(structure({ Time: moment }));
    const ms = (Time: unknown): unknown => {
      const given = read({ Time });
      return "value" in given ? given.value.Time : given.trouble;
    };
    assert.equal(ms(1_714_979_289.5), 1_714_979_289_500);
    assert.equal(ms("2024-05-06T07:08:09Z"), Date.UTC(2024, 4, 6, 7, 8, 9));
    assert.deepEqual([ms("soon"), ms(true), ms(1e300)], ["type", "type", "type"]);
  });
});

test("XML is flat, keeps blanks and carriage returns, and leaves out what there is not", () => {
  const write = xmlWriter(SHAPE);
  const xml = write({
    Name: " <a & b>\r\n",
    Count: 0,
    Names: ["x", "y"],
    Attributes: { k: "v" },
    Entries: [{ Id: "1", Tags: {} }, { Id: "2" }],
    Loud: undefined,
  });
  assert.equal(
    xml,
    "<Name> &lt;a &amp; b&gt;&#xD;\n</Name><Count>0</Count><Alias>x</Alias><Alias>y</Alias>" +
      "<Attribute><Name>k</Name><Value>v</Value></Attribute><Entry><Id>1</Id></Entry><Entry><Id>2</Id></Entry>",
  );
});
