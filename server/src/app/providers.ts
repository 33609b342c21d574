import type { Channel } from "#domain/content.ts";
import type { Settings } from "#config/settings.ts";
import type { BlobStore } from "#ports/blob-store.ts";
import type { Clock } from "#ports/clock.ts";
import type { Provider } from "#ports/provider.ts";
import { type Keep, openMailboxProvider } from "#providers/mailbox/provider.ts";
import { openSmtpProvider } from "#providers/smtp/provider.ts";

/** Webhook calls under way to one host. */
const WEBHOOKS_AT_ONCE_MAX = 32;

/**
 * What carries messages away, in order of priority. With no provider configured, and in `tidings dev`, the mailbox
 * catches every channel; with one, a channel that has none is unroutable rather than silently caught.
 */
export async function openProviders(
  settings: Settings,
  parts: {
    readonly dev: boolean;
    readonly blobs: BlobStore;
    readonly clock: Clock;
    readonly webhookSecret: string;
    readonly keep: Keep;
  },
): Promise<readonly Provider[]> {
  const providers: Provider[] = [];
  if (settings.smtpUrl !== null && !parts.dev) {
    const smtp = await openSmtp(settings, settings.smtpUrl, parts.blobs);
    providers.push(settings.smtpRate === null ? smtp : paced(smtp, settings.smtpRate));
  }
  const webhooks = settings.webhooks === "send" || (settings.webhooks === "auto" && providers.length > 0);
  if (webhooks && !parts.dev) {
    // Its HTTP client takes 13 MB, which an installation without webhooks need not spend.
    const { openWebhookProvider } = await import("#providers/webhook/provider.ts");
    providers.push(
      openWebhookProvider({
        secrets: [parts.webhookSecret],
        allowPrivate: settings.webhookAllowPrivate,
        concurrencyMax: WEBHOOKS_AT_ONCE_MAX,
        clock: parts.clock,
      }),
    );
  }
  if (providers.length === 0) return [openMailboxProvider({ keep: parts.keep })];
  if (settings.webhooks === "catch" || !webhooks)
    providers.push(only("webhook", openMailboxProvider({ keep: parts.keep })));
  return providers;
}

/** The mailbox for one channel, beside real providers for the others. */
function only(channel: Channel, mailbox: Provider): Provider {
  return {
    key: mailbox.key,
    channels: [channel],
    concurrencyMax: mailbox.concurrencyMax,
    send: (envelopes, report, signal) => mailbox.send(envelopes, report, signal),
    [Symbol.asyncDispose]: () => mailbox[Symbol.asyncDispose](),
  };
}

/** A provider that is one destination, and to which at most so many go a second. */
function paced(provider: Provider, perSecondMax: number): Provider {
  return {
    key: provider.key,
    channels: provider.channels,
    concurrencyMax: provider.concurrencyMax,
    perSecondMax,
    send: (envelopes, report, signal) => provider.send(envelopes, report, signal),
    [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
  };
}

function openSmtp(settings: Settings, url: string, blobs: BlobStore): Promise<Provider> {
  const { dkimDomain: domain, dkimSelector: selector, dkimPrivateKey: privateKeyPem } = settings;
  const dkim =
    domain === null || selector === null || privateKeyPem === null ? [] : [{ domain, selector, privateKeyPem }];
  return openSmtpProvider({ url, from: settings.mailFrom, dkim, client: settings.smtpClient }, blobs);
}
