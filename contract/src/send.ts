import { type Static, Type } from "./schema.ts";
import { JsonMap, OrNull } from "./shared.ts";

function Described(description: string) {
  return Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", description });
}

/** One recipient. Which form it is, is decided by the fields it has; what they mean together is checked at accept. */
export const Recipient = Type.Object(
  {
    user_id: OrNull(
      Type.String({ description: "A person whose profile is stored, or who gets the profile keys given here" }),
    ),
    email: OrNull(Type.String({ description: "A mail address; alone it makes an ad-hoc recipient" })),
    phone_number: OrNull(Type.String({ description: "E.164" })),
    locale: OrNull(Type.String()),
    list_id: OrNull(Type.String({ description: "Everyone who is subscribed to this list" })),
    list_pattern: OrNull(
      Type.String({ description: "Everyone on any list that matches, once: `product.*`, `product.**`" }),
    ),
    webhook: OrNull(Described("Where to POST: `url`, and perhaps `method`, `headers`, `authentication`")),
    data: OrNull(Described("Merged over the message's data for this recipient")),
    preferences: OrNull(Described("What this recipient wants, for this message")),
    context: OrNull(
      Described(
        "`tenant_id`: in whose name; `list_id`: beside `user_id`, as somebody on this list: its data, its unsubscribe link, nothing once they left",
      ),
    ),
  },
  {
    title: "Recipient",
    description:
      "One person (`user_id`, `email`, any profile keys), a list (`list_id`) or a pattern of lists (`list_pattern`).",
  },
);

export const Content = Type.Object(
  {
    title: OrNull(Type.String({ description: "Subject of a mail, title of a push message" })),
    body: OrNull(Type.String({ description: "The words; `{name}` is replaced by data" })),
    version: OrNull(Type.String({ description: "Of a full Elemental document: `2022-01-01`" })),
    elements: OrNull(
      Type.Array(
        Type.Object(
          {
            type: Type.Optional(
              Type.String({
                description: "meta, text, action, image, divider, quote, group, columns, list, html, channel, …",
              }),
            ),
          },
          { title: "Element", description: "An Elemental element; fields depend on its `type`" },
        ),
      ),
    ),
  },
  {
    title: "Content",
    description: "Either `title` and `body`, or an Elemental document with `version` and `elements`.",
  },
);

export const Routing = Type.Object(
  {
    method: Type.Union([Type.Literal("single"), Type.Literal("all")], {
      description: "`single`: the first that can be reached; `all`: every one",
    }),
    channels: Type.Array(Type.Union([Type.String(), JsonMap]), {
      description: "Channel names, provider keys, or a routing within this one",
    }),
  },
  { title: "Routing" },
);

export const ChannelOptions = Type.Object(
  {
    providers: OrNull(Type.Array(Type.String())),
    routing_method: OrNull(Type.String({ description: "single or all" })),
    if: OrNull(Type.String()),
    timeouts: OrNull(JsonMap),
    override: OrNull(JsonMap),
    brand_id: OrNull(Type.String()),
    metadata: OrNull(JsonMap),
  },
  { title: "ChannelOptions" },
);

export const ProviderOptions = Type.Object(
  {
    override: OrNull(JsonMap),
    if: OrNull(Type.String()),
    timeouts: OrNull(Type.Number()),
    metadata: OrNull(JsonMap),
  },
  { title: "ProviderOptions" },
);

export const Deadline = Type.Object(
  {
    at: OrNull(
      Type.Union([Type.String(), Type.Number()], {
        description: "When it is late: ISO 8601 with its zone, or epoch seconds or milliseconds",
      }),
    ),
    in: OrNull(
      Type.Union([Type.String(), Type.Number()], {
        description:
          "Instead of `at`: so long after it may first be sent (accepted, or the end of its delay); milliseconds, or ISO 8601 (`PT15M`)",
      }),
    ),
    late: OrNull(
      Type.String({
        description: "What happens when it is late: drop, send or collapse; default: the server's setting",
      }),
    ),
    collapse_key: OrNull(
      Type.String({
        description:
          "What says the same: of late messages with one key to one person only the newest is sent; default: `metadata.event`, or the template",
      }),
    ),
  },
  { title: "Deadline", description: "Ours: until when it is of use. Exactly one of `at` and `in`" },
);

export const Message = Type.Object(
  {
    to: OrNull(
      Type.Union([Recipient, Type.Array(Recipient)], { description: "One recipient, or several of any form" }),
    ),
    content: OrNull(Content),
    template: OrNull(Type.String({ description: "Id of a template, instead of `content`" })),
    data: OrNull(Described("What the words in braces stand for")),
    brand_id: OrNull(Type.String()),
    channels: OrNull(
      Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", additionalProperties: ChannelOptions }),
    ),
    providers: OrNull(
      Type.Unsafe<Readonly<Record<string, unknown>>>({ type: "object", additionalProperties: ProviderOptions }),
    ),
    routing: OrNull(Routing),
    metadata: OrNull(
      Type.Object(
        {
          event: OrNull(Type.String()),
          tags: OrNull(Type.Array(Type.String(), { description: "At most 9, of 30 characters each" })),
          trace_id: OrNull(Type.String()),
          utm: OrNull(JsonMap),
        },
        { title: "MessageMetadata" },
      ),
    ),
    preferences: OrNull(Described("`subscription_topic_id`: the topic to obey")),
    context: OrNull(Described("`tenant_id`: in whose name")),
    delay: OrNull(
      Type.Object(
        {
          duration: OrNull(Type.Number({ description: "Milliseconds" })),
          until: OrNull(Type.String({ description: "ISO 8601" })),
          timezone: OrNull(Type.String({ description: "IANA name" })),
        },
        { title: "Delay" },
      ),
    ),
    expiry: OrNull(Described("`expires_in`: when it leaves the inbox")),
    timeout: OrNull(Described("Patience in ms: `message`, and by name `channel` and `provider`")),
    deadline: OrNull(Deadline),
  },
  {
    title: "Message",
    description: "What to say, to whom, and how. Fields that are not listed are kept and never harm.",
  },
);

export const SendRequest = Type.Object({ message: Message }, { title: "SendRequest" });
export type SendRequest = Static<typeof SendRequest>;

export const SendAnswer = Type.Object(
  {
    requestId: Type.String({
      description:
        "With one recipient this is also the message's id; with several, find them by `GET /messages?traceId=`",
    }),
  },
  { title: "SendAnswer" },
);
export type SendAnswer = Static<typeof SendAnswer>;
