import { undone } from "#doors/aws/eventbridge/faults.ts";
import { nothing } from "#doors/aws/eventbridge/nothing.ts";
import { action } from "#doors/aws/service.ts";
import { list, required, structure, text, type Value } from "#doors/aws/shape.ts";
import type { Tags } from "#rules/desk.ts";

export const TAG_LIST = list("member", structure({ Key: required(text), Value: required(text) }));

export function tagsOf(given: Value<typeof TAG_LIST> | undefined): Tags {
  return Object.fromEntries((given ?? []).map(({ Key, Value: value }) => [Key, value]));
}

const tagResource = action({
  name: "TagResource",
  scope: "full",
  input: structure({ ResourceARN: required(text), Tags: required(TAG_LIST) }),
  output: structure({}),
  run: async ({ ResourceARN, Tags: tags }, call) => nothing(await call.house.rules.tags.add(ResourceARN, tagsOf(tags))),
});

const untagResource = action({
  name: "UntagResource",
  scope: "full",
  input: structure({ ResourceARN: required(text), TagKeys: required(list("member", text)) }),
  output: structure({}),
  run: async ({ ResourceARN, TagKeys }, call) => nothing(await call.house.rules.tags.remove(ResourceARN, TagKeys)),
});

const listTagsForResource = action({
  name: "ListTagsForResource",
  scope: "read",
  input: structure({ ResourceARN: required(text) }),
  output: structure({ Tags: TAG_LIST }),
  run: async ({ ResourceARN }, call) => {
    const found = await call.house.rules.tags.of(ResourceARN);
    if (found.kind !== "done") return undone(found);
    return { Tags: Object.entries(found.value).map(([Key, value]) => ({ Key, Value: value })) };
  },
});

export const TAG_ACTIONS = [tagResource, untagResource, listTagsForResource];
