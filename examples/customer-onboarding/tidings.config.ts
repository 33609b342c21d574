import { defineConfig } from "tidings";

export default defineConfig({
  mailFrom: "Acme <hello@example.com>",
  functions: { folder: "functions", settings: { throwawayDomains: ["trashmail.example", "tenminutes.example"] } },
});
