import { defineConfig } from "tidings";

export default defineConfig({
  mailFrom: "Stock reports <reports@example.com>",
  functions: { folder: "functions" },
});
