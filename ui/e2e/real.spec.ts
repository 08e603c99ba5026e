// The whole flow over the real engine, as `countersign serve` serves it. COUNTERSIGN_SERVE_URL is the whole address it
// printed; its data directory is empty, or holds a demo world in which nothing was decided yet.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";

const ADDRESS = process.env["COUNTERSIGN_SERVE_URL"] ?? "";
const APPLIED = { timeout: 90_000 };

test.describe.configure({ mode: "serial" });

let page: Page;
const errors: string[] = [];

test.beforeAll(async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(ADDRESS);
});
test.afterAll(async () => {
  await page.context().close();
});
test.afterEach(() => {
  expect(errors, "errors on the console").toEqual([]);
});

const changes = () => page.getByRole("tree", { name: "Changes" });
const plan = () => page.getByRole("tree", { name: /^Plan/ });
const gate = () => page.getByRole("complementary", { name: "Gate" });
const notices = () => page.getByRole("region", { name: "Notices" });

/** Opens a change by its branch, through the palette. */
async function open(branch: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.keyboard.type(branch);
  await page.getByRole("option").filter({ hasText: branch }).first().click();
  await expect(page.getByRole("article").getByText(branch, { exact: true })).toBeVisible();
}

async function accessible(what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join("\n  ")}`),
    what,
  ).toEqual([]);
}

/** Answers every question of the open sheet by keys alone. */
async function answer(): Promise<void> {
  const questions = page.getByRole("dialog", { name: "Sign approval" }).getByRole("radiogroup");
  await expect(questions.first().getByRole("radio").first()).toBeFocused();
  for (let index = 0; index < (await questions.count()); index += 1) {
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
  }
}

async function mergeAndApply(): Promise<void> {
  await expect(gate()).toContainText("Gate open");
  await page.keyboard.press("m");
  await page
    .getByRole("dialog", { name: /^Merge into/ })
    .getByRole("button", { name: "Merge and push" })
    .click();
  await expect(notices()).toContainText("Merged into main");
  await expect(page.getByRole("article").getByText("A fresh dry run of trunk shows no changes")).toBeVisible(APPLIED);
}

test("the demo opens, and the runner plans its five changes", async () => {
  const demo = page.getByRole("button", { name: "Open the demo" });
  await expect(demo.or(changes())).toBeVisible();
  if (await demo.isVisible()) await demo.click();
  await expect(changes().getByRole("treeitem", { level: 2 })).toHaveCount(5, APPLIED);
  await expect(changes().getByRole("treeitem", { name: /^Needs my review/ })).toContainText("4", APPLIED);
  await expect(changes()).toContainText(/failed/, APPLIED);
  await accessible("queue");
});

test("a plan that failed shows the tool's own error", async () => {
  await open("broken-network");
  await expect(plan()).toContainText("Reference to undeclared input variable");
  await expect(gate().getByRole("button", { name: /Sign approval/ })).toBeDisabled();
});

test("a change of the policy needs what trunk's policy asks", async () => {
  await open("let-authors-approve");
  await expect(gate()).toContainText("Gate closed");
  await expect(gate()).toContainText("Approvals for policy");
});

test("the harmless change: signed by keys alone, merged, applied", async () => {
  await open("stage-web-replicas");
  await expect(plan().getByText("No destroys or replacements.")).toBeVisible();
  await page.keyboard.press("a");
  const sheet = page.getByRole("dialog", { name: "Sign approval" });
  await expect(sheet).toContainText("You sign as you");
  await answer();
  await expect(sheet).toContainText("Ready: these bytes and nothing else will be signed.");
  await accessible("sign sheet");
  await sheet.getByRole("button", { name: "Sign", exact: true }).press("Enter");
  await expect(notices()).toContainText("Approval signed");
  await open("stage-web-replicas");
  await mergeAndApply();
});

test("the dangerous change: danger first, covered secrets, acknowledged, applied", async () => {
  await open("grow-orders-db");
  await expect(plan().getByRole("treeitem").first()).toContainText("Destroys and replacements");
  const danger = plan().getByRole("treeitem").nth(1);
  await expect(danger).toContainText("forces replacement");
  const address = "module.orders.terraform_data.database";
  await expect(danger).toContainText(address);
  await expect(gate()).toContainText("1 of 2");
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowRight");
  await expect(plan().getByRole("treeitem", { level: 3 }).first()).toBeVisible();
  await accessible("plan");
  await page.keyboard.press("2");
  await expect(page.getByRole("tree", { name: "Diff" })).toContainText("prod/orders-db");
  await accessible("diff");
  await page.keyboard.press("3");
  await expect(page.getByRole("listbox", { name: /^History/ })).toContainText("approval");
  await page.keyboard.press("1");
  await page.keyboard.press("l");
  await expect(page.getByRole("listbox", { name: /^Log of prod\/orders-db/ })).toContainText("Terraform");
  await page.keyboard.press("l");

  await page.keyboard.press("a");
  const sheet = page.getByRole("dialog", { name: "Sign approval" });
  await answer();
  const sign = sheet.getByRole("button", { name: "Sign", exact: true });
  await expect(sign).toBeDisabled();
  await sheet.getByRole("textbox").fill(address);
  await sheet.getByRole("button", { name: "Show exact bytes" }).click();
  await expect(sheet.getByLabel("Exact bytes that will be signed")).toContainText(address);
  await expect(sign).toBeEnabled();
  await sign.click();
  await expect(notices()).toContainText("Approval signed");
  await open("grow-orders-db");
  await mergeAndApply();
});

test("the record verifies, and a statement says how to check it elsewhere", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByRole("button", { name: "Verify all" }).click();
  await expect(page.getByText("The whole record verifies.")).toBeVisible();
  await accessible("audit");
  await page.getByRole("listbox", { name: "Statements" }).getByRole("option").filter({ hasText: "apply" }).first().click();
  await expect(page.getByRole("dialog", { name: "Statement" })).toContainText("ssh-keygen -Y verify");
  await page.keyboard.press("Escape");
});

test("runs and settings", async () => {
  await page.keyboard.press("g");
  await page.keyboard.press("u");
  await expect(page.getByRole("listbox", { name: /^Runs/ })).toContainText("Apply prod/orders-db");
  await accessible("runs");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await expect(page.getByRole("main")).toContainText("infrastructure-live");
  await accessible("settings");
});
