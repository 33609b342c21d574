import { burstOfTidings } from "./tidings.ts";
const variants: Record<string, string[]> = { base: [], semi32: ["--max-semi-space-size=32"], semi64: ["--max-semi-space-size=64"], pool1: ["--v8-pool-size=1"] , sgc: ["--single-threaded-gc"]};
for (let r = 0; r < 3; r++) for (const [name, nodeArgs] of Object.entries(variants)) {
  const { burst: b } = await burstOfTidings({ client: "own", offer: "PIPELINING", lone: false, nodeArgs }, 3000, 10000);
  console.log(name.padEnd(8), Math.round(b.perSecond), b.cpuUs?.toFixed(0), JSON.stringify(b.threadsUs), b.peakMib?.toFixed(0), b.accepts?.ms.p99.toFixed(1));
}
