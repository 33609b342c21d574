import { type Database, statement } from "#drivers/postgres/connection.ts";
import { OperatorFault } from "#domain/faults.ts";

/** In `meta`: the id of the move that is copying an installation into this schema. */
export const UNFINISHED_MOVE = "move.unfinished";
/** In `meta`: the id of the move that this installation came by. */
export const FINISHED_MOVE = "move.finished";

/**
 * A node that worked on half an installation would send what the other half forbids, or has sent already.
 * @throws {OperatorFault} `store.moving`
 */
export async function refuseUnfinished(db: Database, schema: string): Promise<void> {
  const { count } = await db.ask(statement(`SELECT 1 FROM ${schema}.meta WHERE name = '${UNFINISHED_MOVE}'`));
  if (count === 0) return;
  throw new OperatorFault(
    "store.moving",
    `The schema ${schema} holds a part of an installation that is being moved here. Run tidings migrate again where its ` +
      `data folder is: it goes on where it stood. To give it up: DROP SCHEMA ${schema} CASCADE`,
  );
}
