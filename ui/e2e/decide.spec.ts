import { expect, test } from "./window";

const DATABASE = "module.orders_db.terraform_data.database";

test("signing: only when complete, only what was shown, then on to the next", async ({ app, page }) => {
  const approvals: unknown[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/approve")) approvals.push(request.postDataJSON());
  });
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("a");
  const sheet = page.getByRole("dialog", { name: "Sign approval" });
  await expect(sheet).toContainText("You sign as you");
  await expect(sheet).toContainText("Plan commitment");
  const sign = sheet.getByRole("button", { name: "Sign", exact: true });
  await expect(sign).toBeDisabled();
  await page.keyboard.press("a");
  await expect(sheet).toContainText("Still missing: 4 questions to answer, 1 destroy to acknowledge.");
  for (const question of await sheet.getByRole("radiogroup").all()) await question.getByRole("radio", { name: "Yes" }).click();
  await sheet.getByRole("textbox").fill(DATABASE);
  await expect(sheet).toContainText("acknowledged");
  await expect(sheet).toContainText("Ready: these bytes and nothing else will be signed.");
  await expect(sign).toBeEnabled();
  await sheet.getByRole("spinbutton").fill("100");
  await expect(sign).toBeDisabled();
  await sheet.getByRole("spinbutton").fill("12");
  await sheet.getByRole("button", { name: "Show exact bytes" }).click();
  await expect(sheet.getByLabel("Exact bytes that will be signed")).toContainText('"expiresInHours":12');
  await app.accessible("sign sheet");
  expect(approvals).toEqual([]);
  await sign.click();
  await expect(sheet).toHaveCount(0);
  expect(approvals).toEqual([{ token: "token-2", passphrase: null }]);
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("Approval signed");
  await expect(page.getByRole("article").getByRole("heading", { level: 2 })).toHaveText("Roll image 42 out to the fleet");
  await expect(page.getByRole("treeitem", { name: /^Ready to merge/ })).toContainText("2");
});

test("the sheet can be left without signing", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("a");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("refusing needs a reason and says when it is not published yet", async ({ app, page }) => {
  await app.open();
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("x");
  const dialog = page.getByRole("dialog", { name: "Refuse this change" });
  const sign = dialog.getByRole("button", { name: "Sign refusal" });
  await expect(sign).toBeDisabled();
  await page.keyboard.type("The window is not agreed yet.");
  await expect(sign).toBeEnabled();
  await app.accessible("refuse dialog");
  await sign.click();
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("Refusal signed, not yet published");
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("The refusal is recorded on this machine.");
});

test("what may not be done says why and does nothing", async ({ app, page }) => {
  await app.open("/review/live-1/web-scale-out/plan");
  await expect(page.getByRole("tree", { name: /^Plan/ })).toBeVisible();
  await page.keyboard.press("a");
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("stage/web has no plan to approve: its dry run failed.");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("merging is asked for once more, then shows what follows", async ({ app, page }) => {
  await app.open("/review/live-1/stage-web-banner/plan");
  await expect(page.getByRole("complementary", { name: "Gate" })).toContainText("Gate open");
  await page.keyboard.press("m");
  const dialog = page.getByRole("dialog", { name: "Merge into main" });
  await expect(dialog).toContainText("stage/web");
  await app.accessible("merge dialog");
  await dialog.getByRole("button", { name: "Merge and push" }).click();
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("Merged into main");
  await expect(page.getByRole("article")).toContainText("merged, waiting for the runner");
});

test("an approval can be taken back", async ({ app, page }) => {
  await app.open("/review/live-1/stage-web-banner/plan");
  await page.getByRole("button", { name: "Revoke my approval…" }).click();
  const dialog = page.getByRole("dialog", { name: "Revoke my approval" });
  await dialog.getByRole("textbox").fill("I looked at the wrong plan.");
  await dialog.getByRole("button", { name: "Sign revocation" }).click();
  await expect(page.getByRole("region", { name: "Notices" })).toContainText("Approval revoked");
  await expect(page.getByRole("complementary", { name: "Gate" })).toContainText("Gate closed");
});
