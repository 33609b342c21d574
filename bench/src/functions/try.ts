import { runTidings, RATE_CONTESTANTS } from "./rates.ts";
const [n = "2000", ...keys] = process.argv.slice(2);
for (const c of RATE_CONTESTANTS) if (keys.length === 0 || keys.includes(c.key)) console.log(c.key, await c.run({ events: Number(n), warmUp: Number(n) / 4 }));
void runTidings;
