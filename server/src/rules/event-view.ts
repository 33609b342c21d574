import { ACCOUNT_ID, DEFAULT_BUS, OWN_BUS } from "#domain/arn.ts";
import { type EventAttributes, OWN_SOURCE, type RecordedEvent } from "#domain/event.ts";

/**
 * An event as patterns see it and as targets are told of it: EventBridge's envelope. Its texts are made when they are asked
 * for, once; `detail` stands in them exactly as it was given.
 */
export class EventView {
  readonly event: RecordedEvent;
  readonly attributes: EventAttributes;
  readonly #region: string;
  #head: string | null = null;
  #text: string | null = null;

  /** @param region of an event that brought none. */
  constructor(event: RecordedEvent, region: string) {
    this.event = event;
    this.attributes = attributesOf(event);
    this.#region = this.attributes.region ?? region;
  }

  /** The bus that it is on. */
  get bus(): string {
    return this.attributes.bus ?? (this.event.source === OWN_SOURCE ? OWN_BUS : DEFAULT_BUS);
  }

  /** The id that others know it by. */
  get id(): string {
    return this.attributes.showId ?? this.event.id;
  }

  /** What stands around `detail`, for patterns. */
  get envelope(): Readonly<Record<string, string | readonly string[]>> {
    const { event, attributes } = this;
    const { resources = [], replay } = attributes;
    const subject = this.#subject;
    return {
      version: "0",
      id: this.id,
      "detail-type": event.type,
      source: event.source,
      account: ACCOUNT_ID,
      time: wholeSeconds(event.timeMs),
      region: this.#region,
      resources,
      ...(subject === undefined ? {} : { subject }),
      ...(replay === undefined ? {} : { "replay-name": replay }),
    };
  }

  /** JSON text of the whole event. */
  get text(): string {
    this.#text ??= `${this.#headText},"detail":${this.event.data}}`;
    return this.#text;
  }

  /** JSON text of the event without `detail`. */
  get textWithoutDetail(): string {
    return `${this.#headText}}`;
  }

  get #subject(): string | undefined {
    return this.event.source === OWN_SOURCE ? this.event.subject : this.attributes.subject;
  }

  /** The envelope but for the brace behind it, members in EventBridge's order. */
  get #headText(): string {
    this.#head ??= JSON.stringify(this.envelope).slice(0, -1);
    return this.#head;
  }
}

const NONE: EventAttributes = {};

function attributesOf({ attributes }: RecordedEvent): EventAttributes {
  // The journal holds only attributes that the event desk wrote.
  return attributes === null ? NONE : (JSON.parse(attributes) as EventAttributes);
}

/** `2024-05-06T07:08:09Z`. */
function wholeSeconds(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
