import { expect, test } from "./window";

const SCREENS: [string, string, string][] = [
  ["review", "full", ""],
  ["a failed plan", "full", "/review/live-1/web-scale-out/plan"],
  ["a change that waits", "full", "/review/live-1/policy-self-approve/plan"],
  ["an open gate", "full", "/review/live-1/stage-web-banner/plan"],
  ["an applied change", "full", "/review/live-1/dev-network-tags/plan"],
  ["diff", "full", "/review/live-1/grow-orders-db/diff"],
  ["history", "full", "/review/live-1/grow-orders-db/history"],
  ["audit", "full", "/audit"],
  ["a statement", "full", "/audit/st-ana"],
  ["runs", "full", "/runs"],
  ["clones", "full", "/settings/clones"],
  ["keys", "full", "/settings/keys"],
  ["tools", "full", "/settings/tools"],
  ["appearance", "full", "/settings/appearance"],
  ["first start", "fresh", ""],
  ["an empty queue", "empty", ""],
  ["an empty audit", "empty", "/audit"],
  ["empty runs", "empty", "/runs"],
  ["errors", "broken", ""],
];

for (const theme of ["light", "dark"] as const) {
  // What colours cannot break was looked at in the light.
  const rules = theme === "light" ? "all" : "colours";
  test.describe(`in ${theme} colours`, () => {
    for (const [name, scenario, place] of SCREENS) {
      test.describe(() => {
        test.use({ scenario, colorScheme: theme, expectedErrors: scenario === "broken" ? /400 \(Bad Request\)/ : null });
        test(`${name} is accessible`, async ({ app, page }) => {
          await app.open(place);
          await expect(page.getByRole("main")).not.toBeEmpty();
          await expect(page.locator(".waiting")).toHaveCount(0);
          await app.accessible(`${name}, ${theme}`, rules);
        });
      });
    }
    test.describe(() => {
      test.use({ colorScheme: theme });
      test("attributes, log, palette and help are accessible", async ({ app, page }) => {
        await app.open();
        await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
        await page.keyboard.press("Enter");
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowRight");
        await expect(page.getByRole("button", { name: /^Reveal/ }).first()).toBeVisible();
        await app.accessible("attributes", rules);
        await page.keyboard.press("l");
        await expect(page.getByRole("listbox", { name: /^Log of/ })).toContainText("Terraform used");
        await app.accessible("log", rules);
        await page.keyboard.press("?");
        await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
        await app.accessible("help", rules);
        await page.keyboard.press("Escape");
        await page.keyboard.press("Control+k");
        await expect(page.getByRole("combobox", { name: "Find an action or a change" })).toBeFocused();
        await app.accessible("palette", rules);
      });
    });
  });
}

test("the palette finds actions and changes", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("fleet");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toHaveText("Roll image 42 out to the fleet");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("go audit");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Audit" })).toBeVisible();
});

test("the help sheet shows what has a key, and each of them does what it says", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard" });
  for (const title of ["Sign approval…", "Refuse…", "Next unit", "Next tab", "Filter the queue", "Find an action or a change"])
    await expect(help).toContainText(title);
  await page.keyboard.press("Escape");
  for (const [keys, heading] of [
    ["g u", "Runs"],
    ["g a", "Audit"],
    ["g s", "Settings"],
  ] as const) {
    for (const key of keys.split(" ")) await page.keyboard.press(key);
    await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
  }
});

test("audit: filter, details, verify all", async ({ app, page }) => {
  await app.open("/audit");
  const list = page.getByRole("listbox", { name: "Statements" });
  await expect(list.getByRole("option")).toHaveCount(8);
  await expect(list.getByRole("option").filter({ hasText: "does not verify" })).toContainText("The signature is not of these bytes.");
  await page.keyboard.press("/");
  await page.keyboard.type("dev-network");
  await expect(list.getByRole("option")).toHaveCount(2);
  await page.getByRole("combobox").selectOption("apply");
  await expect(list.getByRole("option")).toHaveCount(1);
  await list.focus();
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog", { name: "Statement" });
  await expect(drawer).toContainText("ssh-keygen -Y verify -f allowed_signers -I runner -n apply@countersign");
  await expect(drawer.getByLabel("Signature")).toContainText("BEGIN SSH SIGNATURE");
  await page.keyboard.press("Escape");
  await expect(drawer).toHaveCount(0);
  await page.getByRole("button", { name: "Verify all" }).click();
  await expect(page.getByText("The record does not verify.")).toBeVisible();
  await expect(page.getByText("First bad: st-bad")).toBeVisible();
});

test("runs: log, cancel, run again", async ({ app, page }) => {
  await app.open("/runs");
  await expect(page.getByRole("listbox", { name: /^Log of Plan stage\/fleet/ })).toContainText("Refreshing state…");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("listbox", { name: /^Runs/ })).toContainText("cancelled");
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page.getByRole("listbox", { name: /^Runs/ }).getByRole("option")).toHaveCount(5);
});

test("settings: clones, keys, colours", async ({ app, page }) => {
  await app.open("/settings");
  await page.getByLabel("Folder or URL").fill("/srv/work/another");
  await page.getByRole("button", { name: "Add clone" }).click();
  await expect(page.getByRole("main")).toContainText("another");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("The remote did not answer.")).toHaveCount(0);
  await page.getByRole("button", { name: "Remove…" }).last().click();
  await page.getByRole("button", { name: "Stop watching" }).click();
  await expect(page.getByRole("main")).not.toContainText("/home/you/another");
  await page.getByRole("button", { name: "Keys" }).click();
  await page.getByLabel("Name of the key").fill("laptop");
  await page.getByRole("button", { name: "Make a key" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "laptop" })).toBeVisible();
  await page.getByRole("listitem").filter({ hasText: "laptop" }).getByRole("button", { name: "Use" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: "laptop" })).toContainText("in use");
  await page.getByRole("button", { name: "Appearance" }).click();
  await page.getByRole("radio", { name: "Dark" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test.describe("the first start", () => {
  test.use({ scenario: "fresh", expectedErrors: /400 \(Bad Request\)/ });
  test("opens the demo with progress and goes to the queue", async ({ app, page }) => {
    await app.open();
    await page.getByRole("button", { name: "Open the demo" }).click();
    await expect(page.getByRole("list", { name: "Progress" })).toContainText("Making two bare remotes");
    await expect(page.getByRole("tree", { name: "Changes" })).toContainText("Grow the orders database");
  });
  test("says what is wrong with a folder that is no clone", async ({ app, page }) => {
    await app.open();
    await page.getByLabel("Folder or URL").fill("/tmp/missing");
    await page.getByRole("button", { name: "Add clone" }).click();
    await expect(page.getByRole("alert").first()).toContainText("is not a Git repository");
    await expect(page.getByLabel("Folder or URL")).toHaveValue("/tmp/missing");
  });
});

test("back goes back", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.getByRole("button", { name: "Audit" }).click();
  await page.goBack();
  await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toHaveText("Grow the orders database");
});
