/** Variables that hold secrets of the server: what a function needs is given to it by `functions.secrets`. */
const OURS = /^(?:TIDINGS_|PG|OTEL_)|SECRET|TOKEN|PASSWORD/i;

/** The environment of the threads of users' functions: the server's own, without what is the server's alone. */
export function threadEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name)));
}
