import { blobStoreConforms } from "#conformance/blob-store.ts";
import { openMemoryBlobStore } from "#drivers/memory/blob-store.ts";
import { ManualClock } from "#drivers/memory/manual-clock.ts";

blobStoreConforms("memory", async () => {
  const clock = new ManualClock();
  return { clock, store: openMemoryBlobStore({ clock }) };
});
