import type { JsonObject } from "#domain/json.ts";
import type { Build } from "./build.ts";
import { compileControl, type Control, localeVariants, localized } from "./control.ts";
import { compileElements } from "./element.ts";
import type { Frame } from "./frame.ts";
import { checkSize, type Draw, newOut } from "./out.ts";
import { compileRaw, type Raw } from "./raw.ts";
import type { Rendered, RenderFailure } from "./rendered.ts";
import { compileShell, footerText, type Shell } from "./shell.ts";

/** Says a whole document on the frame's channel. May end in a `RenderStop`. */
export type Document = (frame: Frame) => Rendered | RenderFailure;

/** Compiles a document: elements for every channel, or one `channel` element for each. */
export function compileDocument(build: Build, elements: readonly JsonObject[], path: string): Document {
  const channels = elements.filter((element) => element["type"] === "channel");
  if (channels.length === 0) return compileBody(build, elements, path, null, {});
  if (channels.length < elements.length) {
    build.fault(path, "either all top elements are channel elements, or none of them is");
  }
  return compileChannels(channels.map((channel, at) => compileChannel(build, channel, `${path}[${at}]`)));
}

function compileBody(
  build: Build,
  elements: readonly JsonObject[],
  path: string,
  channel: string | null,
  styles: JsonObject,
): Document {
  const shell = compileShell(build, styles, path);
  const draw = compileElements(build, elements, path, {
    palette: shell.palette,
    depth: 1,
    channel,
    holder: "document",
  });
  return (frame) => renderBody(draw, shell, !build.mentionsUnsubscribe, frame);
}

function renderBody(draw: Draw, shell: Shell, footer: boolean, frame: Frame): Rendered {
  const out = newOut(frame.channel);
  draw(out, frame);
  checkSize(out);
  const title = out.title ?? "";
  return {
    ok: true,
    title,
    html: out.mail ? shell.wrap(out.html, title, frame, footer) : "",
    text: out.mail ? `${out.text}${footer ? footerText(frame) : ""}` : out.text,
    blocks: out.blocks,
    actions: out.actions,
    raw: null,
  };
}

type ChannelDocument = { readonly name: string; readonly control: Control | null; readonly say: Document };

function compileChannel(build: Build, element: JsonObject, path: string): ChannelDocument {
  const name = typeof element["channel"] === "string" ? element["channel"] : "";
  if (name === "") build.fault(`${path}.channel`, "must name a channel, a provider, or default");
  build.countElement(path);
  const said = compileVariant(build, element, path, name);
  const variants = localeVariants(build, element, path, ["elements", "raw"]);
  const all = new Map(variants.map((each) => [each.locale, compileVariant(build, each.element, each.path, name)]));
  const choose = localized(all, said);
  return { name, control: compileControl(build, element, path), say: (frame) => choose(frame)(frame) };
}

function compileVariant(build: Build, element: JsonObject, path: string, name: string): Document {
  const { raw, elements } = element;
  if (raw !== undefined && raw !== null) return renderRaw(compileRaw(build, raw, `${path}.raw`, name));
  if (elements === undefined) build.fault(path, "a channel element needs elements or raw");
  return compileBody(build, build.objects(elements, `${path}.elements`), `${path}.elements`, name, element);
}

function renderRaw(raw: Raw): Document {
  return (frame) => {
    const { title, html, text, raw: filled } = raw(frame);
    const blocks = text === "" ? [] : [{ type: "raw", text }];
    return { ok: true, title, html, text, blocks, actions: [], raw: filled };
  };
}

/** The provider's own words come before its channel's, those before everybody's. */
function compileChannels(channels: readonly ChannelDocument[]): Document {
  return (frame) => {
    for (const name of [frame.provider, frame.channel, "default"]) {
      for (const channel of channels) {
        if (channel.name !== name) continue;
        let said: Rendered | RenderFailure | null = null;
        const once = (): void => {
          said ??= channel.say(frame);
        };
        if (channel.control === null) once();
        else channel.control(frame, once);
        if (said !== null) return said;
      }
    }
    return {
      ok: false,
      problem: `the template says nothing on ${frame.channel} (${frame.provider}), and has no default`,
    };
  };
}
