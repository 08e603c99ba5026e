// The built window over made-up worlds: `npm run preview:fixture`, then open /#token=full.me
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { fixtureServer } from "./fixture/server.ts";

export default defineConfig({
  plugins: [svelte(), fixtureServer()],
  preview: { port: 4173, strictPort: true, host: "127.0.0.1" },
  server: { port: 5174, strictPort: true, host: "127.0.0.1" },
});
