/**
 * What a rule of the simulation tells a target: whose word it is, of which event, and by which replay it came again. So
 * whatever arrives outside says by itself where it belongs, and the ledger believes nothing else.
 */
export type Label = string;

/** Paths for an input transformer whose template has `labelTemplate` in it. */
export const LABEL_PATHS = { id: "$.id", replay: "$.replay-name" } as const;

/** As part of a template, within its quotation marks. */
export function labelTemplate(rule: string, target: string): string {
  return `#${rule}/${target}|<id>|<replay>#`;
}

export function labelOf(rule: string, target: string, eventId: string, replay: string): Label {
  return `${rule}/${target}|${eventId}|${replay}`;
}

/** The label in a text; null: there is none. */
export function labelIn(text: string): Label | null {
  return LABEL.exec(text)?.[1] ?? null;
}

const LABEL = /#([^#]+)#/;
