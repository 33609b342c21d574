/** One message of a server-sent event stream. */
export type SseMessage = { readonly event: string; readonly data: string; readonly lastId: string };

/**
 * Reads a `text/event-stream` (WHATWG HTML §9.2.6) in whatever pieces it arrives. `data` of several lines is joined
 * with line breaks; comments and unknown fields are passed over; a message that never ended is not given.
 */
export class SseReader {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #lastId = "";
  #fresh = true;

  /** @returns the messages that are whole now. */
  push(text: string): readonly SseMessage[] {
    if (this.#fresh && text !== "") {
      this.#fresh = false;
      if (text.startsWith("\uFEFF")) text = text.slice(1);
    }
    const messages: SseMessage[] = [];
    this.#rest += text;
    // A carriage return at the very end may be half of a line break.
    const whole = this.#rest.endsWith("\r") ? this.#rest.slice(0, -1) : this.#rest;
    const lines = whole.split(/\r\n|\r|\n/);
    const last = lines.pop() ?? "";
    this.#rest = last + this.#rest.slice(whole.length);
    for (const line of lines) {
      if (line !== "") this.#field(line);
      else if (this.#data.length > 0) messages.push(this.#message());
      else this.#event = "";
    }
    return messages;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#lastId = value;
  }

  #message(): SseMessage {
    const message = { event: this.#event || "message", data: this.#data.join("\n"), lastId: this.#lastId };
    this.#event = "";
    this.#data = [];
    return message;
  }
}
