import { defineConfig } from "@playwright/test";

// COUNTERSIGN_SERVE_URL is the whole address that `countersign serve` printed: with it, the suite over the real backend runs alone.
const real = process.env["COUNTERSIGN_SERVE_URL"];

export default defineConfig({
  testDir: "e2e",
  testMatch: real ? "real.spec.ts" : /^(?!.*real\.spec).*\.spec\.ts$/,
  timeout: real ? 120_000 : 30_000,
  expect: { timeout: real ? 15_000 : 5_000 },
  workers: real ? 1 : 2,
  reporter: [["list"]],
  outputDir: "test-results",
  use: {
    baseURL: "http://127.0.0.1:4173",
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  ...(real
    ? {}
    : {
        webServer: {
          command: "npx vite preview --config tests/fixture.config.ts",
          url: "http://127.0.0.1:4173",
          reuseExistingServer: false,
        },
      }),
});
