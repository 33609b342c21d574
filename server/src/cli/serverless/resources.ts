import { at, entriesOf, type Gap, itemsOf, type ScalarTree, type Tree } from "#cli/serverless/yaml-tree.ts";

/** One resource of CloudFormation. */
export type Resource = {
  readonly id: string;
  readonly type: string;
  readonly line: number;
  readonly properties: Tree | undefined;
};

/** The property that names a resource of each type that others refer to. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "AWS::SQS::Queue": "QueueName",
  "AWS::S3::Bucket": "BucketName",
  "AWS::DynamoDB::Table": "TableName",
  "AWS::SNS::Topic": "TopicName",
  "AWS::Events::EventBus": "Name",
  "AWS::Events::Rule": "Name",
  "AWS::Kinesis::Stream": "Name",
};

/** References to references that are followed. */
const DEPTH_MAX = 8;

/** The resources of a file, and what refers to them. */
export class Resources {
  readonly all: readonly Resource[];
  readonly #byId: ReadonlyMap<string, Resource>;
  readonly #gaps: Gap[];

  constructor(root: Tree, gaps: Gap[]) {
    this.#gaps = gaps;
    const all: Resource[] = [];
    for (const part of itemsOf(at(root, "resources"))) {
      if (part.kind !== "map")
        gaps.push({ line: part.line, says: "resources of another file are not read; import them by themselves" });
      for (const [id, tree] of entriesOf(at(part, "Resources"))) {
        const type = at(tree, "Type");
        if (type?.kind !== "scalar") gaps.push({ line: tree.line, says: `the resource ${id} has no Type` });
        else all.push({ id, type: String(type.value), line: tree.line, properties: at(tree, "Properties") });
      }
    }
    this.all = all;
    this.#byId = new Map(all.map((resource) => [resource.id, resource]));
  }

  byId(id: string): Resource | undefined {
    return this.#byId.get(id);
  }

  /** By the name that it is given, else its logical id. */
  nameOf(resource: Resource, depth = 0): string {
    const property = NAMED_BY[resource.type];
    const tree = property === undefined ? undefined : at(resource.properties, property);
    return tree === undefined ? resource.id : (this.text(tree, depth + 1) ?? resource.id);
  }

  /** The logical id that `Ref` or `GetAtt` names. */
  idIn(tree: Tree | undefined): string | null {
    if (tree?.kind !== "call" || (tree.name !== "Ref" && tree.name !== "GetAtt")) return null;
    const { argument } = tree;
    const first = argument.kind === "list" ? argument.items[0] : argument;
    return first?.kind === "scalar" ? (String(first.value).split(".")[0] ?? null) : null;
  }

  /** A text in which resources stand by their names; null, and a gap, when it cannot be known. */
  text(tree: Tree, depth = 0): string | null {
    if (depth > DEPTH_MAX) {
      this.#gaps.push({ line: tree.line, says: "it refers to itself" });
      return null;
    }
    if (tree.kind === "scalar") return textOf(tree);
    if (tree.kind !== "call") return null;
    const id = this.idIn(tree);
    if (id !== null) return this.#named(id, depth);
    if (tree.name === "Sub") return this.#sub(tree.argument, depth);
    if (tree.name === "Join" && tree.argument.kind === "list") {
      const [delimiter, parts] = tree.argument.items;
      const texts = itemsOf(parts).map((part) => this.text(part, depth + 1));
      return delimiter?.kind === "scalar" && !texts.includes(null) ? texts.join(textOf(delimiter)) : null;
    }
    this.#gaps.push({ line: tree.line, says: `${tree.name} is not known here; write what it stands for` });
    return null;
  }

  /** The name at the end of an ARN or a URL, or the text itself. */
  name(tree: Tree): string | null {
    const text = this.text(tree);
    if (text === null || text === "") return null;
    return /^(?:arn:|https?:)/.test(text) ? (text.split(/[:/]/).at(-1) ?? text) : text;
  }

  #sub(argument: Tree, depth: number): string | null {
    const [template, values] = argument.kind === "list" ? argument.items : [argument];
    if (template?.kind !== "scalar") return null;
    return textOf(template).replaceAll(/\$\{([^${}!]+)\}/g, (_, name: string) => {
      const given = at(values, name);
      return (
        (given === undefined ? null : this.text(given, depth + 1)) ?? this.#named(name.split(".")[0] ?? name, depth)
      );
    });
  }

  #named(id: string, depth: number): string {
    const pseudo = PSEUDO[id];
    if (pseudo !== undefined) return pseudo;
    const found = this.#byId.get(id);
    return found === undefined ? id : this.nameOf(found, depth);
  }
}

/** CloudFormation's own parameters. */
const PSEUDO: Readonly<Record<string, string>> = {
  "AWS::Region": "us-east-1",
  "AWS::AccountId": "000000000000",
  "AWS::Partition": "aws",
  "AWS::StackName": "stack",
  "AWS::URLSuffix": "amazonaws.com",
};

function textOf({ value }: ScalarTree): string {
  return value === null ? "" : String(value);
}

/** What both a queue and a collection may be called. */
export function cleanName(text: string, charsMax = 60): string {
  const clean = text.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replaceAll(/^-+|-+$/g, "");
  return clean.slice(0, charsMax) || "unnamed";
}
