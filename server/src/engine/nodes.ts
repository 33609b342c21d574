import { type Role, worksQueues } from "#domain/role.ts";
import type { DocumentPut } from "#domain/document.ts";

/** Collection of the nodes: id = node id, body = {@link NodeBody}. */
export const NODES = "nodes";

/** This node, as the others see it. */
export type NodeSelf = { readonly id: string; readonly role: Role; readonly version: string };

/** What a node knows of all nodes that share its store. */
export interface Nodes {
  readonly self: NodeSelf;
  /** Nodes that work the queues now, at least 1. */
  readonly workers: number;
  /**
   * This node's part of what all may do together, 0 to 1. The parts of all nodes never sum up to more than 1, at no
   * moment, whichever of them comes, goes, stops for a while or cannot reach the store.
   */
  readonly share: number;
  /** Whether this is the one that does what one node is enough for. For a moment two may think so. */
  readonly leads: boolean;
  /** All that have been seen lately, this one included. */
  list(): readonly NodeView[];
  /** Tells the others something that holds until then (Unix epoch ms), soon and until it is taken back or over. */
  post(topic: string, untilMs: number, says: string): void;
  takeBack(topic: string): void;
  /** What other living nodes have posted under a topic. */
  noticesOf(topic: string): readonly Notice[];
  /** Calls back when what others have posted has changed. */
  onNews(listener: () => void): void;
}

export type Notice = { readonly node: string; readonly untilMs: number; readonly says: string };

export type NodeView = {
  readonly id: string;
  readonly role: Role;
  readonly version: string;
  readonly startedMs: number;
  readonly seenMs: number;
  /** False: it has not been heard of for a while, or it has just gone. */
  readonly isLive: boolean;
  readonly isSelf: boolean;
};

/** The one node of a store that belongs to one process. */
export function soleNode(self: NodeSelf, startedMs: number): Nodes {
  return {
    self,
    workers: 1,
    share: 1,
    leads: true,
    list: () => [{ ...self, startedMs, seenMs: startedMs, isLive: true, isSelf: true }],
    post: () => {},
    takeBack: () => {},
    noticesOf: () => NONE,
    onNews: () => {},
  };
}

const NONE: readonly Notice[] = [];

/** As it lies in the store, written by this version; those of other versions are read with care. */
export type NodeBody = {
  readonly role: Role;
  readonly version: string;
  readonly startedMs: number;
  readonly seenMs: number;
  /** The present turn of each `queue/lane` that it works. */
  readonly turns: Readonly<Record<string, number>>;
  readonly notices: Readonly<Record<string, Omit<Notice, "node">>>;
};

export function nodePut(id: string, body: NodeBody): DocumentPut {
  return { collection: NODES, id, body: JSON.stringify(body), when: "always", nowMs: body.seenMs };
}

/** A node may be of a version that writes more, or less, than this one. */
export function readNodeBody(text: string): NodeBody {
  // Written by `nodePut` of some version; what is missing is filled in.
  const body = JSON.parse(text) as Partial<NodeBody>;
  return {
    role: body.role ?? "all",
    version: body.version ?? "",
    startedMs: body.startedMs ?? 0,
    seenMs: body.seenMs ?? 0,
    turns: body.turns ?? {},
    notices: body.notices ?? {},
  };
}

export function isWorker({ role }: Pick<NodeBody, "role">): boolean {
  return worksQueues(role);
}
