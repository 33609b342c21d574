import { servesDoors } from "#domain/role.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { registerAdmin } from "#doors/http/routes/admin.ts";
import { registerAttachments } from "#doors/http/routes/attachments.ts";
import { registerDeadLetters } from "#doors/http/routes/dead-letters.ts";
import { registerDirectory } from "#doors/http/routes/directory.ts";
import { registerEvents } from "#doors/http/routes/events.ts";
import { registerHeld } from "#doors/http/routes/held.ts";
import { registerMailbox } from "#doors/http/routes/mailbox.ts";
import { registerMessages } from "#doors/http/routes/messages.ts";
import { registerRequests } from "#doors/http/routes/requests.ts";
import { registerSend } from "#doors/http/routes/send.ts";
import { registerProbes, registerService } from "#doors/http/routes/service.ts";

/** Every route of the door; the reference shows them in this order. A worker has only what machines ask. */
export function registerAll(routes: Routes, house: HttpHouse, openApi: () => string): void {
  if (!servesDoors(house.nodes.self.role)) {
    registerProbes(routes, house);
    return;
  }
  registerSend(routes, house);
  registerAttachments(routes, house);
  registerMessages(routes, house);
  registerRequests(routes, house);
  registerDirectory(routes, house);
  registerMailbox(routes, house);
  registerAdmin(routes, house);
  registerEvents(routes, house);
  registerDeadLetters(routes, house);
  registerHeld(routes, house);
  registerService(routes, house, openApi);
}
