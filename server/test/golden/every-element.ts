import type { JsonObject } from "#domain/json.ts";
import type { Scope } from "#templates/scope.ts";

/** One document that uses every element type and every way to steer one. Its rendering is kept beside it as files. */
export const EVERY_ELEMENT: JsonObject = {
  version: "2022-01-01",
  elements: [
    { type: "comment", comment: "nobody reads this" },
    { type: "meta", title: "Order {{order.number}} is on its way, {{name}}" },
    {
      type: "image",
      src: "https://shop.example/logo.png",
      alt_text: "The Corner Shop",
      width: "120px",
      align: "left",
      href: "https://shop.example/",
    },
    {
      type: "text",
      text_style: "h1",
      content: "Thank you, {{name}}",
      locales: { de: { content: "Danke, {{name}}" }, fr_FR: { content: "Merci, {{name}}" } },
    },
    { type: "text", content: "We packed order {{order.number}} this morning.\nIt should reach {profile.city} within {{days}} days." },
    {
      type: "text",
      format: "markdown",
      content:
        "Some things are **important**, some *less so*, some ~~no longer true~~, and some `literal`. Read [the fine print]({{order.url}}?by={{name}}) or write to https://shop.example/help.\n\n- one thing\n- another, **{{order.number}}**\n\n1. first\n2. second\n\n> A line somebody else wrote.\n\n---\n\nThe end of it.",
    },
    {
      type: "text",
      align: "center",
      elements: [
        { type: "string", content: "Styled: " },
        { type: "string", content: "red and bold", color: "#b91c1c", bold: true },
        { type: "string", content: ", " },
        { type: "string", content: "underlined", underline: "true", italic: true },
        { type: "string", content: ", and " },
        { type: "link", content: "a link", href: "https://shop.example/a?b=1&c={{name}}" },
        { type: "img", src: "https://shop.example/dot.png", alt_text: "•", width: 12 },
        { type: "string", if: "data.vip", content: " (you are a VIP)" },
      ],
    },
    { type: "divider" },
    { type: "text", text_style: "h2", content: "What is in the parcel" },
    {
      type: "columns",
      gap: "24px",
      elements: [
        {
          type: "column",
          width: "60%",
          elements: [
            { type: "text", text_style: "h3", content: "Items" },
            {
              type: "list",
              list_type: "ordered",
              elements: [
                { type: "list-item", loop: "data.items", content: "{{$.item.title}}, {{$.item.quantity}} ×" },
                {
                  type: "list-item",
                  elements: [
                    { type: "string", content: "and a card" },
                    {
                      type: "list",
                      elements: [
                        { type: "list-item", content: "hand-written" },
                        { type: "list-item", content: "on recycled paper" },
                      ],
                    },
                  ],
                },
              ],
            },
          ],
        },
        {
          type: "column",
          elements: [
            { type: "text", text_style: "h3", content: "Total" },
            { type: "text", content: "€ {{order.total}}", font_size: "24px", bold: true },
            { type: "text", text_style: "subtext", content: "{{#if vip}}Free of postage.{{else}}Postage included.{{/if}}" },
          ],
        },
      ],
    },
    { type: "quote", content: "Best tea in {{profile.city}}.\nI shall be back.", border_color: "#2563eb" },
    {
      type: "group",
      background_color: "#fef3c7",
      elements: [
        { type: "text", text_style: "h3", content: "Somebody has to be at home" },
        { type: "text", content: "The parcel needs a signature. [Change the day] if you must." },
      ],
    },
    { type: "action", content: "Follow the parcel", href: "{{order.url}}/track?name={{name}}", action_id: "track" },
    { type: "action", content: "Ask us something", href: "mailto:help@shop.example", style: "link", align: "center" },
    { type: "action", content: "Not a good idea", href: "{{evil}}", style: "link" },
    {
      type: "html",
      content:
        '<table width="100%"><tr><td title={{name}}>Own markup for <a href="{{order.url}}">{{name}}</a> and <a href="{{evil}}">no one</a></td></tr></table>',
    },
    { type: "text", ref: "gift", if: "data.gift", content: "It is a gift." },
    { type: "text", if: "!refs.gift.visible", content: "It is not a gift." },
    { type: "text", channels: ["sms"], content: "Only by SMS." },
    {
      type: "text",
      if: [{ logical_operator: "and", conditions: [{ property: "data.order.total", operator: "greater_than", value: "20" }] }],
      text_style: "subtext",
      align: "center",
      content: "Copyright {datetime.year} The Corner Shop. {{missing}}Braces like { color: red } stay.",
    },
  ],
};

export const SHOPPER: Scope = {
  data: {
    name: 'Ada <script>alert("1")</script>',
    days: 3,
    vip: true,
    evil: "javascript:alert(document.cookie)",
    order: { number: "PX-42", total: 24.5, url: "https://shop.example/orders/PX-42" },
    items: [
      { title: "Earl Grey & bergamot", quantity: 2 },
      { title: "Sencha", quantity: 1 },
    ],
  },
  profile: { city: "Zürich", email: "ada@example.com" },
  tenant: {},
  brand: {},
  locale: "en-GB",
  builtins: {
    messageId: "1-65f240a0-47a6a120c8374de9bcf9f22a",
    recipient: "ada",
    event: "order-shipped",
    template: "",
    environment: "production",
    unsubscribeUrl: "https://news.shop.example/u/1-65f240a0?list=orders&t=abc",
    preferencesUrl: null,
    year: 2026,
  },
};
