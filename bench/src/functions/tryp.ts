import { profileRates } from "./profile.ts";
const n = Number(process.argv[2] ?? 20000);
await profileRates({ events: n, warmUp: n / 4 }, console.log);
