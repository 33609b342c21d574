import { defineConfig, env } from "tidings";

export default defineConfig({
  functions: { settings: { searchUrl: env("SEARCH_URL", "http://127.0.0.1:3310") } },
});
