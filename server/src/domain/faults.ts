/** What stops a command or the start of the program, with a sentence that says what to do. */
export const OPERATOR_FAULTS = {
  "config.invalid": "Each line names a setting; docs/settings.md explains them.",
  "store.locked": "Another Tidings process works on this data folder; stop it or choose another folder.",
  "store.newer": "The data was written by a newer Tidings; start that version or restore a backup.",
  "store.corrupt": "The database file is damaged; restore a backup.",
  "store.unfit": "Tidings needs Postgres 15 or newer with the encoding UTF8; name such a database.",
  "store.unreachable": "See that Postgres runs, and that host, database, user and password of its URL are right.",
  "store.missing": "Nothing was ever kept in this data folder; name the right one with --data-dir.",
  "store.exists": "Choose an empty data folder, or say --force: the store that is there is moved aside, not deleted.",
  "store.moved": "Start it where it is now, with TIDINGS_DATABASE_URL; two that send the same would send it twice.",
  "store.moving": "Run `tidings migrate` again: it goes on where it stood.",
  "store.occupied": "Move into an empty database, or into another schema of it: --database-schema NAME.",
  "move.disturbed": "End whatever else works on that schema, drop the schema, and run `tidings migrate` again.",
  "move.differs": "Drop that schema and run `tidings migrate` again: it copies everything anew.",
  "backup.exists": "Name another file, or say --force to replace a backup.",
  "backup.invalid": "Take another backup, or copy this one again from where it was made.",
  "restore.unfinished":
    "Run `tidings restore FILE` again, or delete the folder that it left to begin with an empty store.",
  "disk.failed": "Look at the disk and its rights, make room, and try again; nothing was changed.",
  "port.taken": "Another program listens on this port; set PORT to another one.",
  "server.unreachable": "No Tidings answers there; start it with `tidings start` or point TIDINGS_URL at it.",
} as const satisfies Record<string, string>;

export type OperatorFaultCode = keyof typeof OPERATOR_FAULTS;

/** Something the operator can act on. Everything else that is thrown is a bug. */
export class OperatorFault extends Error {
  readonly code: OperatorFaultCode;

  constructor(code: OperatorFaultCode, detail: string, options?: ErrorOptions) {
    super(`${detail} [${code}]`, options);
    this.name = "OperatorFault";
    this.code = code;
  }
}
