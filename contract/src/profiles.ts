import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull, Paging, RecipientPreferences } from "./shared.ts";

/** Courier answers changes of profiles so. */
export const Success = Type.Object({ status: Type.Literal("SUCCESS") }, { title: "Success" });
export type Success = Static<typeof Success>;

const Profile = Type.Unsafe<Readonly<Record<string, unknown>>>({
  type: "object",
  description:
    "What is known of a person. `email` and `phone_number` must look like addresses; every other key is kept as it is.",
});

export const ProfileAnswer = Type.Object(
  { profile: Profile, preferences: OrNull(RecipientPreferences) },
  { title: "ProfileAnswer" },
);
export type ProfileAnswer = Static<typeof ProfileAnswer>;

export const ProfileBody = Type.Object({ profile: Profile }, { title: "ProfileBody" });
export type ProfileBody = Static<typeof ProfileBody>;

/** RFC 6902. What an operation needs beside `op` and `path` is checked when it is done. */
const PatchOperation = Type.Object(
  {
    op: Type.Union(["add", "remove", "replace", "move", "copy", "test"].map((op) => Type.Literal(op))),
    path: Type.String({ description: "JSON Pointer (RFC 6901)" }),
    from: Type.Optional(Type.String({ description: "JSON Pointer; for move and copy" })),
    value: Type.Optional(Type.Unknown({ description: "Any JSON; for add, replace and test" })),
  },
  { title: "PatchOperation" },
);

export const ProfilePatch = Type.Object({ patch: Type.Array(PatchOperation) }, { title: "ProfilePatch" });
export type ProfilePatch = Static<typeof ProfilePatch>;

/** A list that a person is on, and what is said of them there. */
export const ProfileList = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    created: Type.String({ format: "date-time", description: "Of the list" }),
    updated: Type.String({ format: "date-time" }),
    preferences: OrNull(RecipientPreferences),
    data: OrNull(JsonMap),
  },
  { title: "ProfileList" },
);
export type ProfileList = Static<typeof ProfileList>;

export const ProfileLists = Type.Object(
  { paging: Paging, results: Type.Array(ProfileList) },
  { title: "ProfileLists" },
);
export type ProfileLists = Static<typeof ProfileLists>;

export const ProfileListsBody = Type.Object(
  {
    lists: Type.Array(
      Type.Object({
        listId: Type.String(),
        preferences: OrNull(RecipientPreferences),
        data: OrNull(JsonMap),
      }),
    ),
  },
  { title: "ProfileListsBody" },
);
export type ProfileListsBody = Static<typeof ProfileListsBody>;
