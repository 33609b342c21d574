import { resolve } from "node:path";

/**
 * `node in-folder.ts FOLDER [arguments of Node] PROGRAM …`: becomes that program, started in the folder. It keeps the number and the
 * pipes of this process, and nothing else of it: what is measured is what people run.
 */
const [folder = ".", ...args] = process.argv.slice(2);
const program = args.findIndex((arg) => !arg.startsWith("-"));
const absolute = args.map((arg, at) => (at === program ? resolve(arg) : arg));
if (process.execve === undefined) throw new Error("this system cannot put one program in the place of another");
process.chdir(folder);
// oxlint-disable-next-line node/no-process-env -- handed on as it is
process.execve(process.execPath, [process.execPath, ...absolute], process.env);
