import { ProgramBuilder, type Mode, type Program } from "./program.ts";
import { isQueryValue, readUrl, START_OF_URL } from "./url-program.ts";
import type { TextNode } from "./syntax.ts";

/**
 * Compiles HTML that its author vouches for. Each variable is escaped for the place where it stands: content, an
 * attribute, a link, a part of a link.
 */
export function rawHtml(nodes: readonly TextNode[]): Program {
  return compile(nodes, new Place());
}

function compile(nodes: readonly TextNode[], place: Place): Program {
  const builder = new ProgramBuilder();
  for (const node of nodes) {
    if (node.kind === "literal") {
      builder.literal(node.text);
      place.walk(node.text);
    } else if (node.kind === "value") {
      builder.value(node, place.mode());
      place.walk("x");
    } else {
      const otherwise = compile(node.otherwise, place.copy());
      builder.block(node, compile(node.body, place), otherwise);
    }
  }
  return builder.build();
}

type State = "content" | "tag" | "before-value" | "value" | "comment";

const LINKS: ReadonlySet<string> = new Set(["href", "action", "formaction", "xlink:href"]);
const PICTURES: ReadonlySet<string> = new Set(["src", "background", "poster", "srcset"]);

/** Where in HTML a reader stands who has read so far: as much of WHATWG HTML §13.2.5 as escaping needs. */
class Place {
  #state: State = "content";
  #quote = "";
  #attribute = "";
  #url = START_OF_URL;
  #tail = "";

  copy(): Place {
    const copy = new Place();
    copy.#state = this.#state;
    copy.#quote = this.#quote;
    copy.#attribute = this.#attribute;
    copy.#url = this.#url;
    copy.#tail = this.#tail;
    return copy;
  }

  mode(): Mode {
    if (this.#state === "content") return "markup";
    const name = this.#attribute.toLowerCase();
    const link = LINKS.has(name);
    if ((this.#state !== "value" && this.#state !== "before-value") || (!link && !PICTURES.has(name)))
      return "attribute";
    if (this.#state === "before-value" || !this.#url.started) return link ? "attribute-link" : "attribute-picture";
    return isQueryValue(this.#url) ? "attribute-query" : "attribute-url";
  }

  walk(text: string): void {
    for (let at = 0; at < text.length; at += 1) {
      if (this.#state === "content") {
        at = text.indexOf("<", at);
        if (at < 0) return;
      }
      this.#step(text.charAt(at));
    }
  }

  #step(character: string): void {
    switch (this.#state) {
      case "content":
        if (character === "<") this.#enter("tag");
        break;
      case "tag":
        this.#inTag(character);
        break;
      case "before-value":
        if (/\s/.test(character)) break;
        if (character === ">") this.#enter("content");
        else {
          this.#enter("value");
          this.#quote = character === '"' || character === "'" ? character : "";
          if (this.#quote === "") this.#url = readUrl(this.#url, character);
        }
        break;
      case "value":
        if (this.#quote === "" ? /[\s>]/.test(character) : character === this.#quote) {
          this.#enter(character === ">" ? "content" : "tag");
        } else this.#url = readUrl(this.#url, character);
        break;
      case "comment":
        this.#tail = (this.#tail + character).slice(-3);
        if (this.#tail === "-->") this.#enter("content");
        break;
    }
  }

  #inTag(character: string): void {
    this.#tail = (this.#tail + character).slice(-3);
    if (character === ">") this.#enter("content");
    else if (character === "=") this.#enter("before-value");
    else if (this.#tail === "!--" && this.#attribute === "!-") this.#enter("comment");
    else if (/[\s/"']/.test(character)) this.#attribute = "";
    else this.#attribute += character;
  }

  #enter(state: State): void {
    this.#state = state;
    this.#tail = "";
    this.#url = START_OF_URL;
    this.#quote = "";
    if (state === "tag" || state === "content") this.#attribute = "";
  }
}
