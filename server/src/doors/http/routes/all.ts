import { servesDoors } from "#domain/role.ts";
import { registerAws } from "#doors/aws/door.ts";
import type { HttpHouse } from "#doors/http/house.ts";
import type { Routes } from "#doors/http/route.ts";
import { registerAdmin } from "#doors/http/routes/admin.ts";
import { registerAttachments } from "#doors/http/routes/attachments.ts";
import { registerBlobs } from "#doors/http/routes/blobs.ts";
import { registerCloudEvents } from "#doors/http/routes/cloud-events.ts";
import { registerDeadLetters } from "#doors/http/routes/dead-letters.ts";
import { registerDirectory } from "#doors/http/routes/directory.ts";
import { registerDocuments } from "#doors/http/routes/documents.ts";
import { registerEvents } from "#doors/http/routes/events.ts";
import { registerFunctions } from "#doors/http/routes/functions.ts";
import { registerHeld } from "#doors/http/routes/held.ts";
import { registerInbound } from "#doors/http/routes/inbound.ts";
import { registerMailbox } from "#doors/http/routes/mailbox.ts";
import { registerMessages } from "#doors/http/routes/messages.ts";
import { registerQuarantine } from "#doors/http/routes/quarantine.ts";
import { registerQueues } from "#doors/http/routes/queues.ts";
import { registerRequests } from "#doors/http/routes/requests.ts";
import { registerSchemas } from "#doors/http/routes/schemas.ts";
import { registerRules } from "#doors/http/routes/rules.ts";
import { registerSend } from "#doors/http/routes/send.ts";
import { registerTopology } from "#doors/http/routes/topology.ts";
import { registerWebhooks } from "#doors/http/routes/webhooks.ts";
import { registerProbes, registerService } from "#doors/http/routes/service.ts";

/** Every route of the door; the reference shows them in this order. A worker has only what machines ask. */
export function registerAll(routes: Routes, house: HttpHouse, openApi: () => string): void {
  if (!servesDoors(house.nodes.self.role)) {
    registerProbes(routes, house);
    return;
  }
  registerSend(routes, house);
  registerAttachments(routes, house);
  registerCloudEvents(routes, house);
  registerInbound(routes, house);
  registerQuarantine(routes, house);
  registerSchemas(routes, house);
  registerQueues(routes, house);
  registerMessages(routes, house);
  registerRequests(routes, house);
  registerDirectory(routes, house);
  registerMailbox(routes, house);
  registerAdmin(routes, house);
  registerTopology(routes, house);
  registerEvents(routes, house);
  registerRules(routes, house);
  registerWebhooks(routes, house);
  registerFunctions(routes, house);
  registerDocuments(routes, house);
  registerBlobs(routes, house);
  registerDeadLetters(routes, house);
  registerHeld(routes, house);
  registerAws(routes, house);
  registerService(routes, house, openApi);
}
